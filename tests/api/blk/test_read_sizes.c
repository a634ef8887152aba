/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocks of 512 to 576 bytes are read in another way where the CPU has the registers of AVX-512 and
 * PMEM_AVX512F permits them. Either way a read fills the buffer and touches nothing beside it.
 */
#include <libpmemblk.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define SIZE ((size_t)17 << 20)
#define NBLOCK 40
#define GUARD ((size_t)64)
#define LARGEST ((size_t)4160)

static const char *path;

static void fill(unsigned char *buf, size_t bsize, unsigned block)
{
	for (size_t i = 0; i < bsize; i++)
		buf[i] = (unsigned char)((i * 31 + block * 7 + i / 61) | 1);
}

/* The result of a child: it holds at the first wrong byte. */
#define REQUIRE(cond)                                                                    \
	do {                                                                             \
		if (!(cond)) {                                                           \
			fprintf(stderr, "%s, blocks of %zu bytes\n", #cond, bsize);      \
			_exit(1);                                                        \
		}                                                                        \
	} while (0)

static void read_at(PMEMblkpool *p, size_t bsize, unsigned block, size_t shift)
{
	static unsigned char room[GUARD + 64 + LARGEST + GUARD];
	unsigned char want[LARGEST];
	unsigned char *buf = room + GUARD + shift;

	memset(room, 0xee, sizeof(room));
	errno = 5;
	REQUIRE(pmemblk_read(p, buf, block) == 0);
	REQUIRE(errno == 5);
	if (block % 8 == 3)
		memset(want, 0, bsize);
	else
		fill(want, bsize, block);
	REQUIRE(memcmp(buf, want, bsize) == 0);
	for (unsigned char *b = room; b < room + sizeof(room); b++)
		REQUIRE(*b == 0xee || (b >= buf && b < buf + bsize));
}

static void try_size(size_t bsize)
{
	unsigned char buf[LARGEST];
	PMEMblkpool *p = pmemblk_create(path, bsize, SIZE, 0600);

	REQUIRE(p);
	for (unsigned block = 0; block < NBLOCK; block++) {
		fill(buf, bsize, block);
		REQUIRE(pmemblk_write(p, buf, block) == 0);
		if (block % 8 == 3)
			REQUIRE(pmemblk_set_zero(p, block) == 0);
		if (block % 8 == 5)
			REQUIRE(pmemblk_set_error(p, block) == 0);
	}
	for (unsigned block = 0; block < NBLOCK; block++) {
		if (block % 8 == 5)
			REQUIRE(pmemblk_read(p, buf, block) == -1 && errno == EIO);
		else
			for (size_t shift = 0; shift < 64; shift += 7)
				read_at(p, bsize, block, shift);
	}
	REQUIRE(pmemblk_read(p, buf, (long long)pmemblk_nblock(p)) == -1 &&
		errno == EINVAL);
	REQUIRE(pmemblk_read(p, buf, -1) == -1 && errno == EINVAL);
	pmemblk_close(p);
	unlink(path);
}

static int try_sizes(void)
{
	static const size_t sizes[] = {511, 512, 513, 519, 520,	 528,
				       567, 575, 576, 577, 1024, LARGEST};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		try_size(sizes[i]);
	return 0;
}

/* The variables are read when the library is loaded, so this program starts itself again. */
static void assert_reads_well(const char *name, const char *value, const char *force)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (name)
			setenv(name, value, 1);
		setenv("PMEM_IS_PMEM_FORCE", force, 1);
		execl("/proc/self/exe", "test_read_sizes", "child", path, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void every_size_is_read_with_all_registers(void **state)
{
	(void)state;
	assert_reads_well(NULL, NULL, "1");
	assert_reads_well(NULL, NULL, "0");
}

static void every_size_is_read_without_AVX512(void **state)
{
	(void)state;
	assert_reads_well("PMEM_AVX512F", "0", "1");
	assert_reads_well("PMEM_NO_MOVNT", "1", "1");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_size_is_read_with_all_registers),
	    cmocka_unit_test(every_size_is_read_without_AVX512),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	if (argc > 2) {
		path = argv[2];
		return try_sizes();
	}
	path = support_path(true, "pool");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
