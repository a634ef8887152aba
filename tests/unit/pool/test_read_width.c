/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of the functions that read blocks a pool gets. */
#include "support.h"

#include <libpmemblk.h>
#include <unistd.h>

#include "base/ctl_config.h"
#include "btt/fast.h"
#include "pool/pool.h"

#define SIZE ((size_t)17 << 20)

typedef int (*read_function)(PMEMblkpool *pool, void *buf, uint64_t blockno);

/* The function for a pool that is opened with PMEM_AVX512F=text. */
static read_function read_of(size_t bsize, const char *text)
{
	const char *path = support_path(true, "pool");
	read_function read;
	PMEMblkpool *p;

	setenv("PMEM_AVX512F", text, 1);
	ctl_config_load();
	p = pmemblk_create(path, bsize, SIZE, 0600);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	read = p->read;
	pmemblk_close(p);
	p = pmemblk_open(path, 0);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	assert_true(p->read == read);
	pmemblk_close(p);
	unlink(path);
	unsetenv("PMEM_AVX512F");
	ctl_config_load();
	return read;
}

static void wide_reads_are_used_where_the_cpu_has_them_and_the_user_permits(void **state)
{
	static const size_t sizes[] = {512, 520, 1024, 4096, 4160};
	read_function narrow = read_of(512, "0");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		read_function read = read_of(sizes[i], "1");

		assert_true(read_of(sizes[i], "0") == narrow);
		assert_int_equal(read == narrow, btt_fast_width(sizes[i]) == BTT_NARROW);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(read == read_of(sizes[k], "1"),
					 btt_fast_width(sizes[i]) ==
					     btt_fast_width(sizes[k]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		wide_reads_are_used_where_the_cpu_has_them_and_the_user_permits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
