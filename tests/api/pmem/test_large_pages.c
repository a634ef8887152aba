/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files on hugetlbfs, which an fstatfs(2) of the test imitates. The kernel maps whole pages there, which
 * must not reach into a neighbour. And it refuses lengths that are no multiples, as the ftruncate(2) of
 * the test does.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "libpmem.h"
#include "support.h"

#define PAGE ((size_t)4096)
#define MANY 8

static size_t huge;	  /* 0: the real file system */
static int ftruncate_err; /* then it fails whatever the length is */

SUPPORT_INTERPOSE int fstatfs(int fd, struct statfs *fs)
{
	if (!huge)
		return (int)syscall(SYS_fstatfs, fd, fs);
	memset(fs, 0, sizeof(*fs));
	fs->f_type = 0x958458f6;
	*(long *)&fs->f_bsize = (long)huge;
	return 0;
}

SUPPORT_INTERPOSE int ftruncate(int fd, off_t len)
{
	if (ftruncate_err) {
		errno = ftruncate_err;
		return -1;
	}
	if (!huge || (size_t)len % huge == 0)
		return (int)syscall(SYS_ftruncate, fd, len);
	errno = EINVAL;
	return -1;
}

static void each_file_has_whole_pages_of_the_address_space(void **state)
{
	static const size_t sizes[] = {2u << 20, 1u << 30};
	const char *path = support_path(false, "small");
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	char *p[MANY];
	size_t len;

	(void)state;
	assert_int_equal(ftruncate(fd, PAGE), 0);
	close(fd);
	for (size_t s = 0; s < 2; s++) {
		huge = sizes[s];
		for (int i = 0; i < MANY; i++) {
			p[i] = pmem_map_file(path, 0, 0, 0, &len, NULL);
			assert_non_null(p[i]);
			assert_int_equal(len, PAGE);
			assert_int_equal((uintptr_t)p[i] % huge, 0);
			for (int j = 0; j < i; j++)
				assert_true(p[i] >= p[j] + huge || p[j] >= p[i] + huge);
		}
		for (int i = 0; i < MANY; i++)
			assert_int_equal(pmem_unmap(p[i], huge), 0);
	}
	huge = 0;
}

static void a_length_that_is_no_multiple_is_refused_with_the_reason(void **state)
{
	const char *path = support_path(false, "new");
	size_t len;
	void *p;

	(void)state;
	huge = 2u << 20;
	errno = 0;
	assert_null(pmem_map_file(path, 3u << 20, PMEM_FILE_CREATE, 0600, &len, NULL));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(pmem_errormsg(), path));
	assert_non_null(strstr(pmem_errormsg(),
			       "the length 3145728, which is no multiple of 2097152"));
	assert_int_equal(access(path, F_OK), -1);
	p = pmem_map_file(path, 4u << 20, PMEM_FILE_CREATE, 0600, &len, NULL);
	assert_non_null(p);
	assert_int_equal(len, 4u << 20);
	assert_int_equal(pmem_unmap(p, len), 0);
	huge = 0;
}

static void other_failures_have_their_own_reason(void **state)
{
	static const struct {
		size_t huge;
		size_t len;
		int err;
	} rows[] = {{2u << 20, 3u << 20, EFBIG},
		    {2u << 20, 4u << 20, EINVAL},
		    {0, 5, EINVAL},
		    {0, PAGE, EINVAL}};
	const char *path = support_path(false, "other");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		huge = rows[i].huge;
		ftruncate_err = rows[i].err;
		errno = 0;
		assert_null(
		    pmem_map_file(path, rows[i].len, PMEM_FILE_CREATE, 0600, NULL, NULL));
		assert_int_equal(errno, rows[i].err);
		assert_non_null(strstr(pmem_errormsg(), strerror(rows[i].err)));
		assert_null(strstr(pmem_errormsg(), "multiple"));
	}
	huge = 0;
	ftruncate_err = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_file_has_whole_pages_of_the_address_space),
	    cmocka_unit_test(a_length_that_is_no_multiple_is_refused_with_the_reason),
	    cmocka_unit_test(other_failures_have_their_own_reason),
	};

	support_assert_ours((void *)pmem_map_file, "pmem_map_file");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
