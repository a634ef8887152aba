/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools that the original made, and the sizes that it gave to pools. */
#include <libpmemblk.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "support.h"
#include "vectors.h"

/* Allocates nothing, because the test makes pools of terabytes, which have to be sparse. */
SUPPORT_INTERPOSE int posix_fallocate(int fd, off_t off, off_t len)
{
	return ftruncate(fd, off + len) == 0 ? 0 : errno;
}

static const char *make_file(const char *name)
{
	char source[128];
	const char *path = support_path(false, name);
	unsigned char *image;
	size_t len;

	snprintf(source, sizeof(source), "tests/support/vectors/%s", name);
	image = support_load_sparse(support_source(source), &len);
	support_write_file(path, image, len);
	free(image);
	return path;
}

static PMEMblkpool *open_pool(const char *path)
{
	PMEMblkpool *p = pmemblk_open(path, 512);

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	assert_int_equal(pmemblk_bsize(p), 512);
	assert_int_equal(pmemblk_nblock(p), 32202);
	return p;
}

static void assert_block(PMEMblkpool *p, long long lba, int byte)
{
	unsigned char block[512];

	if (pmemblk_read(p, block, lba) != 0)
		fail_msg("%s", pmemblk_errormsg());
	for (size_t i = 0; i < sizeof(block); i++)
		if (block[i] != byte)
			fail_msg("block %lld, byte %zu: %#x, not %#x", lba, i, block[i],
				 byte);
}

static void assert_error(PMEMblkpool *p, long long lba)
{
	unsigned char block[512];

	errno = 0;
	assert_int_equal(pmemblk_read(p, block, lba), -1);
	assert_int_equal(errno, EIO);
}

static void a_fresh_pool_reads_as_zeros(void **state)
{
	static const char *const names[] = {"pool-fresh.txt", "pool-fresh-dirty.txt"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *path = make_file(names[i]);
		uint64_t before = image_hash(path);
		PMEMblkpool *p;

		assert_int_equal(pmemblk_check(path, 512), 1);
		assert_int_equal(image_hash(path), before);
		p = open_pool(path);
		assert_block(p, 0, 0);
		assert_block(p, 32201, 0);
		pmemblk_close(p);
		assert_int_equal(pmemblk_check(path, 512), 1);
	}
}

static void opening_and_closing_leaves_a_clean_pool_as_it_was(void **state)
{
	const char *path = make_file("pool-ops.txt");
	uint64_t before = image_hash(path);

	(void)state;
	pmemblk_close(open_pool(path));
	assert_int_equal(image_hash(path), before);
}

static void a_pool_left_open_is_marked_clean_by_the_next_close(void **state)
{
	const char *dirty = make_file("pool-fresh-dirty.txt");
	const char *clean = make_file("pool-fresh.txt");

	(void)state;
	pmemblk_close(open_pool(dirty));
	assert_int_equal(image_hash(dirty), image_hash(clean));
}

static void what_the_original_wrote_is_read(void **state)
{
	const char *path = make_file("pool-write0.txt");
	PMEMblkpool *p;

	(void)state;
	assert_int_equal(pmemblk_check(path, 0), 1);
	p = open_pool(path);
	assert_block(p, 0, 0xa5);
	assert_block(p, 1, 0);
	pmemblk_close(p);

	path = make_file("pool-ops.txt");
	assert_int_equal(pmemblk_check(path, 0), 1);
	p = open_pool(path);
	assert_block(p, 0, 6);
	assert_block(p, 7, 0);
	assert_error(p, 8);
	assert_block(p, 9, 0);
	assert_block(p, 10, 0);
	pmemblk_close(p);
}

static void the_original_pools_can_be_written_on(void **state)
{
	const char *path = make_file("pool-ops.txt");
	unsigned char block[512];
	PMEMblkpool *p = open_pool(path);

	(void)state;
	for (int i = 0; i < 600; i++) {
		memset(block, i & 0xff, sizeof(block));
		assert_int_equal(pmemblk_write(p, block, i % 300), 0);
	}
	assert_int_equal(pmemblk_set_error(p, 301), 0);
	assert_int_equal(pmemblk_set_zero(p, 0), 0);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 512), 1);
	p = open_pool(path);
	assert_block(p, 0, 0);
	for (int i = 1; i < 300; i++)
		assert_block(p, i, (i + 300) & 0xff);
	assert_error(p, 301);
	pmemblk_close(p);
}

static void every_pool_size_gives_the_originals_number_of_blocks(void **state)
{
	const char *path = support_path(false, "sized");
	struct vectors v;

	(void)state;
	vectors_open(&v, "nblocks.csv", ',', 3);
	while (vectors_next(&v)) {
		size_t poolsize = strtoull(v.field[0], NULL, 10);
		size_t bsize = strtoull(v.field[1], NULL, 10);
		const char *want = v.field[2];
		PMEMblkpool *p;

		/* a sanitizer's run time often leaves no address space for it */
		if (SUPPORT_SANITIZED && poolsize > (size_t)1 << 39)
			continue;
		errno = 0;
		p = pmemblk_create(path, bsize, poolsize, 0644);
		if (strcmp(want, "EINVAL") == 0) {
			if (p || errno != EINVAL || access(path, F_OK) == 0)
				fail_msg("%zu, %zu: %p, %s", poolsize, bsize, (void *)p,
					 strerror(errno));
			continue;
		}
		if (!p)
			fail_msg("%zu, %zu: %s", poolsize, bsize, pmemblk_errormsg());
		if (pmemblk_nblock(p) != strtoull(want, NULL, 10))
			fail_msg("%zu, %zu: %zu, not %s", poolsize, bsize,
				 pmemblk_nblock(p), want);
		assert_int_equal(pmemblk_bsize(p), bsize);
		pmemblk_close(p);
		assert_int_equal(unlink(path), 0);
	}
	vectors_close(&v, 141);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_fresh_pool_reads_as_zeros),
	    cmocka_unit_test(opening_and_closing_leaves_a_clean_pool_as_it_was),
	    cmocka_unit_test(a_pool_left_open_is_marked_clean_by_the_next_close),
	    cmocka_unit_test(what_the_original_wrote_is_read),
	    cmocka_unit_test(the_original_pools_can_be_written_on),
	    cmocka_unit_test(every_pool_size_gives_the_originals_number_of_blocks),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
