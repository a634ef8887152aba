/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools in mappings with pages larger than 4096 bytes: on hugetlbfs, which an fstatfs(2) of the
 * test imitates, and on machines with pages of 64 KiB. A pool that cannot be mapped is refused,
 * with the reason.
 */
#include "set_fixture.h"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

static size_t huge; /* 0: the real file system */
static size_t page; /* 0: the real machine */

SUPPORT_INTERPOSE int fstatfs(int fd, struct statfs *fs)
{
	if (!huge)
		return (int)syscall(SYS_fstatfs, fd, fs);
	memset(fs, 0, sizeof(*fs));
	fs->f_type = 0x958458f6;
	*(long *)&fs->f_bsize = (long)huge;
	return 0;
}

SUPPORT_INTERPOSE long sysconf(int name)
{
	static long (*real)(int);

	if (name == _SC_PAGESIZE && page)
		return (long)page;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sysconf");
	return real(name);
}

static void pool_works(PMEMblkpool *p, const char *path)
{
	char block[512] = "block";
	char read[512];

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	for (int close_and_open = 0; close_and_open < 2; close_and_open++) {
		long long last = (long long)pmemblk_nblock(p) - 1;

		assert_int_equal(pmemblk_write(p, block, last), 0);
		assert_int_equal(pmemblk_read(p, read, last), 0);
		assert_memory_equal(read, block, sizeof(block));
		pmemblk_close(p);
		assert_int_equal(pmemblk_check(path, 512), 1);
		p = pmemblk_open(path, 512);
		assert_non_null(p);
	}
	pmemblk_close(p);
}

static void a_pool_on_hugetlbfs_fills_its_pages(void **state)
{
	const char *path = set_path("pool");

	(void)state;
	huge = 2u << 20;
	errno = 0;
	set_assert_refused(pmemblk_create(path, 512, PMEMBLK_MIN_POOL, 0644), EINVAL,
			   "no multiple of 2097152, the huge page");
	assert_false(set_part_exists("pool"));
	pool_works(pmemblk_create(path, 512, 18u << 20, 0644), path);
	huge = 32u << 20;
	errno = 0;
	set_assert_refused(pmemblk_open(path, 512), EINVAL, "huge page");
	huge = 0;
}

static void parts_on_hugetlbfs_need_one_header_for_all(void **state)
{
	(void)state;
	huge = 2u << 20;
	set_assert_create_refused("16M @/a\n16M @/b\n", EINVAL, "multiples of 2097152");
	assert_false(set_part_exists("a") || set_part_exists("b"));
	pool_works(set_create("OPTION SINGLEHDR\n16M @/a\n16M @/b\n", 512),
		   set_path("set"));
	huge = 0;
}

static void pages_of_64_kib_carry_pools_of_one_file(void **state)
{
	const char *path = set_path("pool");

	(void)state;
	page = 65536;
	pool_works(pmemblk_create(path, 512, PMEMBLK_MIN_POOL, 0644), path);
	set_assert_create_refused("16M @/a\n16M @/b\n", EINVAL, "multiples of 65536");
	assert_false(set_part_exists("a") || set_part_exists("b"));
	page = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SET_CASE(a_pool_on_hugetlbfs_fills_its_pages),
	    SET_CASE(parts_on_hugetlbfs_need_one_header_for_all),
	    SET_CASE(pages_of_64_kib_carry_pools_of_one_file),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
