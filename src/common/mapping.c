/* SPDX-License-Identifier: BSD-3-Clause */
#include "mapping.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "errormsg.h"
#include "kernel.h"

/* The kernel's values, for C libraries that do not know them yet. */
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 0x03
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define SMALL_ALIGN ((uintptr_t)2 << 20)
#define LARGE_ALIGN ((uintptr_t)1 << 30)
#define LARGE_LEN ((size_t)2 << 30)

/* No CPU has larger pages. */
#define LARGEST_PAGE ((uintptr_t)1 << 34)

#define RESERVATION (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static uintptr_t hint;
static bool have_hint;

void mapping_init(void)
{
	const char *text = secure_getenv("PMEM_MMAP_HINT");
	unsigned long long value;
	char *end;

	have_hint = false;
	if (!text || access("/proc/self/maps", R_OK) != 0)
		return;
	errno = 0;
	value = strtoull(text, &end, 16);
	if (end == text || errno != 0 || value > UINTPTR_MAX)
		return;
	hint = (uintptr_t)value;
	have_hint = true;
}

static bool round_up(uintptr_t *value, uintptr_t align)
{
	if (*value > UINTPTR_MAX - (align - 1))
		return false;
	*value = (*value + align - 1) & ~(align - 1);
	return true;
}

static uintptr_t page_size(void)
{
	return (uintptr_t)sysconf(_SC_PAGESIZE);
}

size_t mapping_unit(int fd)
{
	size_t page = page_size();
	struct statfs fs;
	size_t huge;

	if (fstatfs(fd, &fs) != 0 || (uint32_t)fs.f_type != HUGETLBFS_MAGIC)
		return page;
	huge = (size_t)fs.f_bsize;
	return huge > page && (huge & (huge - 1)) == 0 ? huge : page;
}

/*
 * Finds the lowest aligned hole of len bytes at or above hint; 0 if there is none. The
 * null page is never a hole.
 */
static uintptr_t find_hole(size_t len, uintptr_t align)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t addr = hint ? hint : 1;
	char *line = NULL;
	size_t size = 0;
	bool found = round_up(&addr, align);

	if (!maps)
		return 0;
	while (found && getline(&line, &size, maps) > 0) {
		unsigned long from;
		unsigned long to;

		if (sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		if (addr < from && from - addr >= len)
			break;
		if (addr < to) {
			addr = to;
			found = round_up(&addr, align);
		}
	}
	free(line);
	fclose(maps);
	return found && addr <= UINTPTR_MAX - len ? addr : 0;
}

static void *reserve_at_hint(size_t len, uintptr_t align)
{
	/* Another thread may take the hole first. Then look again, but not for ever. */
	for (int i = 0; i < 64; i++) {
		uintptr_t hole = find_hole(len, align);
		void *got;

		if (!hole)
			break;
		got = mmap((void *)hole, len, PROT_NONE,
			   RESERVATION | MAP_FIXED_NOREPLACE, -1, 0);
		if (got == (void *)hole)
			return got;
		if (got !=
		    MAP_FAILED) /* an old kernel, which takes the address as a hint */
			munmap(got, len);
		else if (errno != EEXIST)
			break;
	}
	return NULL;
}

/*
 * Where the next reservation may end: below the last reservation, or where the last
 * released one was. It is only a guess, which saves two system calls if it is right, so
 * relaxed order is enough.
 */
static atomic_uintptr_t guess;

/*
 * Tries twice to reserve exactly len bytes, because the address space may be limited
 * (RLIMIT_AS). The first attempt is at the guess; the second one is right below the place
 * where the kernel put the first one.
 */
static void *reserve_exactly(size_t len, uintptr_t align)
{
	uintptr_t end = atomic_load_explicit(&guess, memory_order_relaxed);
	uintptr_t want = end > len ? (end - len) & ~(align - 1) : 0;

	for (int i = 0; i < 2; i++) {
		void *got = mmap((void *)want, len, PROT_NONE, RESERVATION, -1, 0);

		if (got == MAP_FAILED)
			return NULL;
		if ((uintptr_t)got % align == 0)
			return got;
		munmap(got, len);
		want = (uintptr_t)got & ~(align - 1);
	}
	return NULL;
}

/* Reserves more than needed and releases both ends. */
static void *reserve_anywhere(size_t len, uintptr_t align)
{
	char *start;
	uintptr_t addr;
	size_t before;
	size_t after;

	if (len > SIZE_MAX - align) {
		errno = ENOMEM;
		return NULL;
	}
	start = mmap(NULL, len + align, PROT_NONE, RESERVATION, -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	addr = ((uintptr_t)start + align - 1) & ~(align - 1);
	before = addr - (uintptr_t)start;
	after = align - before;
	if (before)
		munmap(start, before);
	if (after)
		munmap(start + before + len, after);
	return start + before;
}

/* Rounds len up to whole units. False if the result does not fit a uintptr_t. */
static bool round_length(size_t len, size_t unit, uintptr_t *rounded)
{
	uintptr_t page = page_size();

	*rounded = len;
	return round_up(rounded, unit > page ? unit : page);
}

int mapping_reserve(size_t len, size_t unit, void **addr)
{
	uintptr_t align = len >= LARGE_LEN ? LARGE_ALIGN : SMALL_ALIGN;
	uintptr_t rounded;
	void *got = NULL;

	if (len == 0)
		return errormsg_fail(EINVAL, "cannot map 0 bytes");
	if (align < unit)
		align = unit;
	if (!round_length(len, unit, &rounded))
		return errormsg_fail_sys(ENOMEM, "cannot map %zu bytes", len);
	if (have_hint)
		got = reserve_at_hint(rounded, align);
	else
		got = reserve_exactly(rounded, align);
	if (!got)
		got = reserve_anywhere(rounded, align);
	if (!got)
		return errormsg_fail_sys(errno,
					 "cannot reserve %zu bytes of address space at a "
					 "multiple of %zu (limits: ulimit -v, "
					 "vm.max_map_count)",
					 (size_t)rounded, (size_t)align);
	atomic_store_explicit(&guess, (uintptr_t)got, memory_order_relaxed);
	*addr = got;
	return 0;
}

/* A range has been unmapped: the next reservation may fit there. */
static void note_free(uintptr_t end)
{
	atomic_store_explicit(&guess, end, memory_order_relaxed);
}

void mapping_release(void *addr, size_t len, size_t unit)
{
	uintptr_t rounded;

	if (!round_length(len, unit, &rounded))
		return;
	munmap(addr, rounded);
	note_free((uintptr_t)addr + rounded);
}

/*
 * The kernel unmaps whole huge pages only. It returns EINVAL if the end lies within one,
 * and does not tell how large the huge pages are. So the end is rounded up to larger and
 * larger pages. The first end that the kernel accepts is the end of the huge page in
 * which the old end lies.
 */
int mapping_unmap(void *addr, size_t len, atomic_uintptr_t *end)
{
	for (uintptr_t page = page_size(); page <= LARGEST_PAGE; page *= 2) {
		uintptr_t rounded = (uintptr_t)addr + len;

		if (!round_up(&rounded, page))
			break;
		if (end)
			atomic_store_explicit(end, rounded, memory_order_release);
		if (munmap(addr, rounded - (uintptr_t)addr) == 0) {
			note_free(rounded);
			return 0;
		}
		if (errno != EINVAL)
			return -errno;
	}
	return -EINVAL;
}

static int map_at(void *addr, size_t len, int fd, uint64_t off, int flags)
{
	void *got = mmap(addr, len, PROT_READ | PROT_WRITE, flags, fd, (off_t)off);

	if (got == MAP_FAILED)
		return -errno;
	return 0;
}

/*
 * Asks for MAP_SYNC by mapping one page at another address. If the file system refused
 * MAP_SYNC at the final address, the kernel would already have unmapped the reservation
 * there, and another thread could take the address before the second attempt.
 */
static int probe_sync(int fd, uint64_t off)
{
	size_t len = page_size();
	void *got = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_SHARED_VALIDATE | MAP_SYNC, fd, (off_t)off);

	if (got == MAP_FAILED)
		return -errno;
	munmap(got, len);
	return 0;
}

int mapping_place(void *addr, size_t len, int fd, uint64_t off, enum mapping_kind kind,
		  bool *is_sync, const char **why)
{
	const char *reason = NULL;
	int ret;

	if (kind == MAPPING_PRIVATE) {
		reason = "the mapping is private";
		ret = map_at(addr, len, fd, off, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED);
	} else {
		ret = probe_sync(fd, off);
		/* EINVAL: the kernel is too old, or a device DAX has larger pages. */
		if (ret == 0 || ret == -EINVAL)
			ret = map_at(addr, len, fd, off,
				     MAP_SHARED_VALIDATE | MAP_SYNC | MAP_FIXED);
		if (ret == -EOPNOTSUPP)
			reason = "the file system does not grant MAP_SYNC for it (not on "
				 "persistent memory, or not mounted with -o dax)";
		else if (ret == -EINVAL)
			reason = "the kernel does not know MAP_SYNC";
		if (reason)
			ret = map_at(addr, len, fd, off, MAP_SHARED | MAP_FIXED);
	}
	if (ret < 0)
		return ret;
	if (is_sync)
		*is_sync = !reason;
	if (why)
		*why = reason;
	return 0;
}
