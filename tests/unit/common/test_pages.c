/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reservations on machines with other page sizes, and on hugetlbfs. A model on top of this
 * machine's mmap(2) imitates the page size, the file system and the kernel's rules for huge
 * pages.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "compiler.h"
#include "errormsg.h"
#include "mapping.h"
#include "support.h"

#if SUPPORT_SANITIZED

int main(void)
{
	puts("skipped: a sanitizer needs mmap for itself");
	return 77;
}

#else

struct range {
	uintptr_t lo;
	uintptr_t hi;
};

static struct {
	size_t page; /* 0: that of this machine */
	size_t huge; /* of the file system; 0: an ordinary file system */
	long type;   /* of the file system, if it is not that of huge pages */
	struct range reserved;
	struct range placed; /* the file's mapping */
} model;

SUPPORT_INTERPOSE long sysconf(int name)
{
	static long (*real)(int);

	if (name == _SC_PAGESIZE && model.page)
		return (long)model.page;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sysconf");
	return real(name);
}

SUPPORT_INTERPOSE int fstatfs(int fd, struct statfs *fs)
{
	if (!model.huge && !model.type)
		return (int)syscall(SYS_fstatfs, fd, fs);
	memset(fs, 0, sizeof(*fs));
	fs->f_type = (__typeof__(fs->f_type))(model.type ? model.type : 0x958458f6);
	*(long *)&fs->f_bsize = (long)model.huge;
	return 0;
}

static void *real_mmap(uintptr_t addr, size_t len, int flags)
{
	return (void *)syscall(SYS_mmap, addr, len, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1,
			       0);
}

static void *refuse(int err)
{
	errno = err;
	return MAP_FAILED;
}

static size_t round_up_to(size_t value, size_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* If the kernel chooses the address, it is a multiple of the page. */
static void *map_anonymous(uintptr_t addr, size_t len, int flags)
{
	uintptr_t got;
	uintptr_t at;

	len = round_up_to(len, model.page);
	if (addr) {
		at = (uintptr_t)real_mmap(addr, len, flags & MAP_FIXED_NOREPLACE);
		if ((void *)at == MAP_FAILED)
			return MAP_FAILED;
		if (at % model.page == 0) {
			model.reserved = (struct range){at, at + len};
			return (void *)at;
		}
		syscall(SYS_munmap, at, len);
	}
	got = (uintptr_t)real_mmap(0, len + model.page, 0);
	if ((void *)got == MAP_FAILED)
		return MAP_FAILED;
	at = round_up_to(got, model.page);
	if (at > got)
		syscall(SYS_munmap, got, at - got);
	if (at < got + model.page)
		syscall(SYS_munmap, at + len, got + model.page - at);
	model.reserved = (struct range){at, at + len};
	return (void *)at;
}

static void *map_the_file(uintptr_t addr, size_t len, int flags, off_t off)
{
	size_t unit = model.huge ? model.huge : model.page;

	if (flags & 0x80000) /* MAP_SYNC */
		return refuse(EOPNOTSUPP);
	if (addr % unit != 0 || (size_t)off % unit != 0)
		return refuse(EINVAL);
	len = round_up_to(len, unit);
	if (addr < model.reserved.lo || addr + len > model.reserved.hi)
		fail_msg("the mapping replaces what lies behind the reservation");
	model.placed = (struct range){addr, addr + len};
	return real_mmap(addr, len, MAP_FIXED);
}

SUPPORT_INTERPOSE void *mmap(void *addr, size_t len, int prot, int flags, int fd,
			     off_t off)
{
	if (!model.page)
		return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
	if (flags & MAP_ANONYMOUS)
		return map_anonymous((uintptr_t)addr, len, flags);
	return map_the_file((uintptr_t)addr, len, flags, off);
}

/* Whether at lies within one of the file's huge pages. */
static bool cuts_a_huge_page(uintptr_t at)
{
	return model.huge && at > model.placed.lo && at < model.placed.hi &&
	       at % model.huge != 0;
}

SUPPORT_INTERPOSE int munmap(void *addr, size_t len)
{
	uintptr_t lo = (uintptr_t)addr;
	uintptr_t hi = lo + len;

	if (!model.page)
		return (int)syscall(SYS_munmap, addr, len);
	hi = round_up_to(hi, model.page);
	if (lo % model.page != 0 || cuts_a_huge_page(lo) || cuts_a_huge_page(hi)) {
		errno = EINVAL;
		return -1;
	}
	if (lo < model.reserved.lo || hi > model.reserved.hi)
		fail_msg("what lies around the reservation is unmapped");
	if (lo == model.reserved.lo)
		model.reserved.lo = hi;
	else
		model.reserved.hi = lo;
	if (model.placed.lo >= lo && model.placed.hi <= hi)
		model.placed = (struct range){0, 0};
	return (int)syscall(SYS_munmap, lo, hi - lo);
}

static void use_model(size_t page, size_t huge)
{
	memset(&model, 0, sizeof(model));
	model.page = page;
	model.huge = huge;
}

static const struct {
	size_t page;
	size_t huge;
} machines[] = {
    {4096, 0},	       {16384, 0},	    {65536, 0},
    {4096, 2u << 20},  {4096, 1u << 30},    {16384, 32u << 20},
    {65536, 2u << 20}, {65536, 512u << 20}, {65536, (size_t)16 << 30},
};

static const size_t lengths[] = {1,	   4095,     4097,	     65535,	65537,
				 3u << 20, 16785408, (1u << 30) + 1, 2147483649};

/* Makes the mapping of the row; NULL if there is no such row. */
static void *reserve_and_place(size_t len, size_t *unit)
{
	void *p = NULL;

	*unit = mapping_unit(3);
	assert_int_equal(*unit, model.huge ? model.huge : model.page);
	assert_int_equal(mapping_reserve(len, *unit, &p), 0);
	assert_int_equal((uintptr_t)p % *unit, 0);
	assert_int_equal((uintptr_t)p % (len >= 2147483648 ? 1u << 30 : 2u << 20), 0);
	/* Exactly this range is reserved. */
	assert_int_equal(model.reserved.lo, (uintptr_t)p);
	assert_int_equal(model.reserved.hi, (uintptr_t)p + round_up_to(len, *unit));
	assert_int_equal(mapping_place(p, len, 3, 0, MAPPING_SHARED, NULL, NULL), 0);
	assert_int_equal(model.placed.hi, model.reserved.hi);
	return p;
}

static bool is_empty(struct range r)
{
	return r.lo == r.hi;
}

static void only_huge_pages_are_units_of_their_own(void **state)
{
	static const struct {
		long type;
		size_t block_size;
	} rows[] = {
	    {0x6969, 1u << 20},	    /* NFS */
	    {0x2fc12fc1, 1u << 17}, /* ZFS */
	    {0x958458f6, 3u << 20}, /* values that make no sense */
	    {0x958458f6, 1024},	    {0x958458f6, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		use_model(4096, rows[i].block_size);
		model.type = rows[i].type;
		assert_int_equal(mapping_unit(3), 4096);
	}
	use_model(0, 0);
}

static void whole_pages_are_reserved_placed_and_released(void **state)
{
	(void)state;
	for (size_t m = 0; m < ARRAY_SIZE(machines); m++)
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			size_t unit;
			void *p;

			use_model(machines[m].page, machines[m].huge);
			p = reserve_and_place(lengths[i], &unit);
			mapping_release(p, lengths[i], unit);
			assert_true(is_empty(model.reserved) && is_empty(model.placed));
		}
	use_model(0, 0);
}

static void unmapping_rounds_up_to_the_end_of_the_page_and_no_further(void **state)
{
	(void)state;
	for (size_t m = 0; m < ARRAY_SIZE(machines); m++)
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			size_t unit;
			char *p;

			use_model(machines[m].page, machines[m].huge);
			p = reserve_and_place(lengths[i], &unit);
			assert_int_equal(mapping_unmap(p, lengths[i], NULL), 0);
			assert_true(is_empty(model.reserved) && is_empty(model.placed));
			/* An address within a page is refused. */
			p = reserve_and_place(lengths[i], &unit);
			assert_int_equal(mapping_unmap(p + unit / 2, unit / 4, NULL),
					 -EINVAL);
			assert_int_equal(mapping_unmap(p, lengths[i], NULL), 0);
			/* A part of several units. */
			p = reserve_and_place(3 * unit, &unit);
			assert_int_equal(mapping_unmap(p, unit + 1, NULL), 0);
			assert_int_equal(model.reserved.lo, (uintptr_t)p + 2 * unit);
			assert_int_equal(mapping_unmap(p + 2 * unit, 1, NULL), 0);
		}
	use_model(0, 0);
}

static void a_limit_of_the_address_space_leaves_room_for_what_is_asked(void **state)
{
	static const size_t lens[] = {1u << 20, 100u << 20, (size_t)2 << 30};
	struct rlimit before;
	unsigned long pages;

	(void)state;
	if (support_is_emulated())
		skip();
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		struct rlimit limit = before;
		FILE *f = fopen("/proc/self/statm", "r");
		void *p = NULL;
		void *q = NULL;
		int ret;
		int again;

		if (!f || fscanf(f, "%lu", &pages) != 1) {
			print_message("without /proc the use of memory is not known\n");
			skip();
		}
		fclose(f);
		limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + lens[i] + 65536;
		assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
		ret = mapping_reserve(lens[i], 0, &p);
		again = ret < 0 ? 0 : mapping_reserve(lens[i], 0, &q);
		assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
		if (ret < 0)
			fail_msg("%s", errormsg_get());
		mapping_release(p, lens[i], 0);
		/* The message says what was asked for. */
		assert_int_equal(again, -ENOMEM);
		assert_non_null(strstr(errormsg_get(), "address space"));
		assert_non_null(strstr(errormsg_get(), "multiple of"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    /* First, while it is not known where the next reservation would fit. */
	    cmocka_unit_test(a_limit_of_the_address_space_leaves_room_for_what_is_asked),
	    cmocka_unit_test(only_huge_pages_are_units_of_their_own),
	    cmocka_unit_test(whole_pages_are_reserved_placed_and_released),
	    cmocka_unit_test(unmapping_rounds_up_to_the_end_of_the_page_and_no_further),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
