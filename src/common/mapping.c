/* SPDX-License-Identifier: BSD-3-Clause */
#include "mapping.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "errormsg.h"

/* The kernel's values, for C libraries that are older than the kernel. */
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
	/* Another thread may take the hole first; look again then, but not forever. */
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
		    MAP_FAILED) /* a kernel that takes the address as a mere wish */
			munmap(got, len);
		else if (errno != EEXIST)
			break;
	}
	return NULL;
}

/*
 * Where the next reservation may end: below the last one, or where the last one was that
 * has been released. A mere guess that saves two calls if it is right, so relaxed order is
 * enough.
 */
static atomic_uintptr_t guess;

static void *reserve_at_guess(size_t len, uintptr_t align)
{
	uintptr_t end = atomic_load_explicit(&guess, memory_order_relaxed);
	uintptr_t want;
	void *got;

	if (end <= len)
		return NULL;
	want = (end - len) & ~(align - 1);
	if (want == 0)
		return NULL;
	got = mmap((void *)want, len, PROT_NONE, RESERVATION, -1, 0);
	if (got == MAP_FAILED || (uintptr_t)got % align == 0)
		return got == MAP_FAILED ? NULL : got;
	munmap(got, len);
	return NULL;
}

/* Takes more than needed and gives both ends back. */
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

int mapping_reserve(size_t len, size_t min_align, void **addr)
{
	uintptr_t align = len >= LARGE_LEN ? LARGE_ALIGN : SMALL_ALIGN;
	uintptr_t rounded = len;
	void *got = NULL;

	if (len == 0)
		return errormsg_fail(EINVAL, "cannot map 0 bytes");
	if (align < min_align)
		align = min_align;
	if (!round_up(&rounded, (uintptr_t)sysconf(_SC_PAGESIZE)))
		return errormsg_fail_sys(ENOMEM, "cannot map %zu bytes", len);
	if (have_hint)
		got = reserve_at_hint(rounded, align);
	else
		got = reserve_at_guess(rounded, align);
	if (!got)
		got = reserve_anywhere(rounded, align);
	if (!got)
		return errormsg_fail_sys(errno,
					 "cannot reserve %zu bytes of address space "
					 "(limits: ulimit -v, vm.max_map_count)",
					 len);
	atomic_store_explicit(&guess, (uintptr_t)got, memory_order_relaxed);
	*addr = got;
	return 0;
}

void mapping_is_free(void *addr, size_t len)
{
	uintptr_t end = (uintptr_t)addr + len;

	if (round_up(&end, (uintptr_t)sysconf(_SC_PAGESIZE)))
		atomic_store_explicit(&guess, end, memory_order_relaxed);
}

void mapping_release(void *addr, size_t len)
{
	uintptr_t rounded = len;

	if (!round_up(&rounded, (uintptr_t)sysconf(_SC_PAGESIZE)))
		return;
	munmap(addr, rounded);
	mapping_is_free(addr, rounded);
}

static int map_at(void *addr, size_t len, int fd, uint64_t off, int flags)
{
	void *got = mmap(addr, len, PROT_READ | PROT_WRITE, flags, fd, (off_t)off);

	if (got == MAP_FAILED)
		return -errno;
	return 0;
}

/*
 * Asks for MAP_SYNC with one page in another place. A file system may refuse only after
 * the kernel has emptied the place, and another thread could move in before a second
 * attempt there.
 */
static int probe_sync(int fd, uint64_t off)
{
	size_t len = (size_t)sysconf(_SC_PAGESIZE);
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
