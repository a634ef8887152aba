/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random damage to all metadata: header, descriptor, info blocks, map, flog, length of the file.
 * Half of the time the checksums are corrected afterwards. After each damage come check, open,
 * reads and writes. None of these may crash or hang; a check must not change the file; the
 * results of check and open must agree.
 *
 * DAMAGES=n is the number of damages (10,000; with CHECK_LONG 20,000). SEED=n tries other ones.
 */
#include <libpmemblk.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "support.h"

#define PAGE ((uint64_t)4096)

/* Allocates nothing, because the test makes pools of several arenas, which have to be sparse. */
SUPPORT_INTERPOSE int posix_fallocate(int fd, off_t off, off_t len)
{
	return ftruncate(fd, off + len) == 0 ? 0 : errno;
}

/* A pool file, and the original bytes of its metadata to restore it. */
struct victim {
	const char *path;
	uint64_t size;
	size_t bsize;
	unsigned narena;
	uint64_t map_size;
	struct area {
		uint64_t off;
		uint64_t len;
		unsigned char *bytes;
	} area[8];
	unsigned narea;
	int fd;
};

static uint64_t state;
static unsigned tallies[4]; /* check says 1, 0, -1; open fails */

static uint64_t dice(uint64_t n)
{
	return support_random(&state) % n;
}

static void keep(struct victim *v, uint64_t off, uint64_t len)
{
	struct area *r = &v->area[v->narea++];

	r->off = off;
	r->len = len;
	r->bytes = malloc(len);
	assert_non_null(r->bytes);
	assert_int_equal(pread(v->fd, r->bytes, len, (off_t)off), len);
}

static void restore(const struct victim *v)
{
	assert_int_equal(ftruncate(v->fd, (off_t)v->size), 0);
	for (unsigned i = 0; i < v->narea; i++)
		assert_int_equal(pwrite(v->fd, v->area[i].bytes, v->area[i].len,
					(off_t)v->area[i].off),
				 v->area[i].len);
}

static uint64_t hash_metadata(const struct victim *v)
{
	uint64_t hash = 0;

	for (unsigned i = 0; i < v->narea; i++) {
		unsigned char *now = calloc(1, v->area[i].len);

		assert_non_null(now);
		/* Fewer bytes if the file was truncated. */
		assert_true(pread(v->fd, now, v->area[i].len, (off_t)v->area[i].off) >=
			    0);
		hash = hash * 31 + image_fletcher64(now, v->area[i].len, SIZE_MAX - 8, 0);
		free(now);
	}
	return hash;
}

static void make_victim(struct victim *v, const char *name, uint64_t size, size_t bsize,
			bool laid_out)
{
	unsigned char *block = malloc(bsize);
	PMEMblkpool *p;

	assert_non_null(block);
	memset(v, 0, sizeof(*v));
	v->path = support_path(true, name);
	v->size = size;
	v->bsize = bsize;
	v->map_size = 4 * PAGE;
	p = pmemblk_create(v->path, bsize, size, 0644);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	for (int i = 0; laid_out && i < 300; i++) {
		memset(block, i, bsize);
		assert_int_equal(pmemblk_write(p, block, i % 100), 0);
	}
	if (laid_out) {
		assert_int_equal(pmemblk_set_error(p, 101), 0);
		assert_int_equal(pmemblk_set_zero(p, 5), 0);
		assert_int_equal(
		    pmemblk_write(p, block, (long long)pmemblk_nblock(p) - 1), 0);
	}
	pmemblk_close(p);
	free(block);
	v->fd = open(v->path, O_RDWR | O_CLOEXEC);
	assert_true(v->fd >= 0);
	keep(v, 0, 3 * PAGE);
	if (!laid_out) /* map, flog and copy appear at the end */
		keep(v, size / PAGE * PAGE - (1 << 20), 1 << 20);
	for (uint64_t at = IMAGE_DATA; laid_out; at += (uint64_t)1 << 39) {
		uint64_t map = image_get64(v->path, at + INFO_MAPOFF);
		uint64_t end = image_get64(v->path, at + INFO_INFOOFF) + PAGE;

		if (at != IMAGE_DATA)
			keep(v, at, PAGE);
		keep(v, at + map, end - map);
		v->map_size = image_get64(v->path, at + INFO_FLOGOFF) - map;
		v->narena++;
		if (image_get64(v->path, at + INFO_NEXTOFF) == 0)
			break;
	}
}

static void drop_victim(struct victim *v)
{
	for (unsigned i = 0; i < v->narea; i++)
		free(v->area[i].bytes);
	close(v->fd);
	unlink(v->path);
}

/* --- damages -------------------------------------------------------------------------------- */

static uint64_t odd_value(void)
{
	static const uint64_t values[] = {0,
					  1,
					  2,
					  255,
					  256,
					  511,
					  512,
					  513,
					  4095,
					  4096,
					  4097,
					  0x3fffffff,
					  0x40000000,
					  0x7fffffff,
					  0x80000000,
					  0xc0000000,
					  0xffffffff,
					  0x100000000,
					  (uint64_t)1 << 39,
					  ((uint64_t)1 << 39) + 4096,
					  (uint64_t)1 << 63,
					  UINT64_MAX,
					  UINT64_MAX - 4095};

	switch (dice(3)) {
	case 0:
		return values[dice(sizeof(values) / sizeof(values[0]))];
	case 1:
		return dice(70000);
	default:
		return support_random(&state);
	}
}

static void put(const struct victim *v, uint64_t off, uint64_t value, size_t len)
{
	/* A file that an earlier damage has truncated is not extended. */
	struct stat st;

	assert_int_equal(fstat(v->fd, &st), 0);
	if (off + len <= (uint64_t)st.st_size)
		assert_int_equal(pwrite(v->fd, &value, len, (off_t)off), len);
}

static bool whole_page(const struct victim *v, uint64_t off)
{
	struct stat st;

	assert_int_equal(fstat(v->fd, &st), 0);
	return off + PAGE <= (uint64_t)st.st_size;
}

static void damage_header(const struct victim *v)
{
	static const uint64_t fields[] = {0,   8,   12,	  16,	20,   24,  40,
					  56,  72,  88,	  104,	120,  128, 136,
					  142, 144, 2048, 4024, 4040, 4080};

	if (dice(2))
		put(v, fields[dice(sizeof(fields) / sizeof(fields[0]))], odd_value(),
		    (size_t)1 << dice(4));
	else
		put(v, dice(PAGE), odd_value(), 1);
	if (dice(4) && whole_page(v, 0))
		image_seal_header(v->path, 0);
	if (dice(2) && whole_page(v, 0))
		image_seal_sds(v->path, 0);
}

static void damage_descriptor(const struct victim *v)
{
	put(v, IMAGE_BSIZE + 4 * dice(dice(2) ? 2 : 26), odd_value(), 4);
}

/* The arenas' offsets in the file. */
static uint64_t arena_off(const struct victim *v)
{
	return IMAGE_DATA + ((uint64_t)dice(v->narena ? v->narena : 1) << 39);
}

/* The offset of the copy of the info block, from the intact primary. */
static uint64_t copy_off(const struct victim *v, uint64_t arena)
{
	for (unsigned i = 0; i < v->narea; i++) {
		const struct area *r = &v->area[i];

		if (r->off > arena &&
		    (r->off - IMAGE_DATA) >> 39 == (arena - IMAGE_DATA) >> 39 &&
		    r->len > PAGE)
			return r->off + r->len - PAGE;
	}
	return arena;
}

static void damage_info(const struct victim *v)
{
	static const uint64_t fields[] = {0,  16, 32, 48, 52, 54, 56,  60,  64,
					  68, 72, 76, 80, 88, 96, 104, 112, 120};
	uint64_t arena = arena_off(v);
	uint64_t where[2] = {arena, copy_off(v, arena)};
	uint64_t field = fields[dice(sizeof(fields) / sizeof(fields[0]))];
	uint64_t value = odd_value();
	size_t len = field >= 80 ? 8 : field == 52 || field == 54 ? 2 : 4;
	unsigned which = (unsigned)dice(3);
	bool seal = dice(4) != 0;

	for (unsigned i = 0; i < 2; i++) {
		if (which != i && which != 2)
			continue;
		put(v, where[i] + field, value, len);
		if (seal && whole_page(v, where[i]))
			image_seal_info(v->path, where[i]);
	}
}

static void damage_map(const struct victim *v)
{
	uint64_t arena = arena_off(v);
	uint64_t copy = copy_off(v, arena);
	uint64_t map = copy - 4 * PAGE - v->map_size;
	unsigned n = 1 + (unsigned)dice(10);

	if (copy == arena)
		return;
	for (unsigned i = 0; i < n; i++) {
		/* Mostly entries of blocks that were written. */
		uint64_t entry = dice(2) ? dice(110) : dice(v->map_size / 4);
		uint64_t value = dice(2) ? odd_value() : 0xc0000000 | dice(40000);

		put(v, map + 4 * entry, value, 4);
	}
}

static void damage_flog(const struct victim *v)
{
	uint64_t arena = arena_off(v);
	uint64_t copy = copy_off(v, arena);
	uint64_t flog = copy - 4 * PAGE;
	unsigned n = 1 + (unsigned)dice(4);

	if (copy == arena)
		return;
	for (unsigned i = 0; i < n; i++) {
		uint64_t slot = dice(2) ? dice(4) : dice(256);
		uint64_t value = dice(2)   ? odd_value()
				 : dice(2) ? dice(5)
					   : 0xc0000000 | dice(40000);

		put(v, flog + 64 * slot + 4 * dice(dice(8) ? 8 : 16), value, 4);
	}
}

static void damage_length(const struct victim *v)
{
	uint64_t len;

	switch (dice(4)) {
	case 0:
		len = dice(v->size < 64 << 20 ? v->size : 64 << 20);
		break;
	case 1:
		len = v->size - dice(20) * PAGE - dice(2) * 100;
		break;
	case 2:
		len = v->size + dice(100) * PAGE + dice(3);
		break;
	default:
		len = v->size - PAGE;
		break;
	}
	assert_int_equal(ftruncate(v->fd, (off_t)len), 0);
}

static void damage_anything(const struct victim *v)
{
	const struct area *r = &v->area[dice(v->narea)];

	put(v, r->off + dice(r->len), odd_value(), 1);
}

static void damage(const struct victim *v)
{
	static void (*const damages[])(const struct victim *) = {
	    damage_header, damage_descriptor, damage_info, damage_info,
	    damage_map,	   damage_map,	      damage_flog, damage_flog,
	    damage_length, damage_anything};
	unsigned n = dice(2) ? 1 : 1 + (unsigned)dice(4);

	for (unsigned i = 0; i < n; i++)
		damages[dice(sizeof(damages) / sizeof(damages[0]))](v);
}

/* --- use -------------------------------------------------------------------------------------- */

static void use_pool(PMEMblkpool *p, int checked)
{
	size_t bsize = pmemblk_bsize(p);
	size_t n = pmemblk_nblock(p);
	unsigned char *block;
	unsigned char *got;

	assert_true(bsize >= 1 && n >= 256);
	block = malloc(bsize);
	got = malloc(bsize);
	assert_non_null(block);
	assert_non_null(got);
	for (int i = 0; i < 30; i++) {
		long long lba = (long long)(dice(2) ? dice(110) : dice(n));
		int ret = pmemblk_read(p, got, lba);

		assert_true(ret == 0 || errno == EIO);
		/* Only the block that was put into the error state fails in a good pool. */
		assert_true(ret == 0 || checked != 1 || lba == 101 || i > 0);
		if (dice(2))
			continue;
		memset(block, i + 100, bsize);
		switch (dice(4)) {
		case 0:
			ret = pmemblk_set_zero(p, lba);
			assert_true(ret == 0 || errno == EIO || errno == EROFS);
			break;
		case 1:
			ret = pmemblk_set_error(p, lba);
			assert_true(ret == 0 || errno == EIO || errno == EROFS);
			if (ret == 0)
				assert_int_equal(pmemblk_read(p, got, lba), -1);
			break;
		default:
			ret = pmemblk_write(p, block, lba);
			assert_true(ret == 0 || errno == EIO || errno == EROFS);
			if (ret == 0) {
				assert_int_equal(pmemblk_read(p, got, lba), 0);
				assert_memory_equal(got, block, bsize);
			}
			break;
		}
	}
	free(block);
	free(got);
}

static void examine(const struct victim *v, unsigned long number)
{
	uint64_t before = hash_metadata(v);
	int checked;
	int err;
	PMEMblkpool *p;

	errno = 0;
	checked = pmemblk_check(v->path, 0);
	err = errno;
	assert_in_range(checked + 1, 0, 2);
	assert_true(hash_metadata(v) == before);
	errno = 0;
	p = pmemblk_open(v->path, 0);
	tallies[checked == 1 ? 0 : checked == 0 ? 1 : 2]++;
	if (!p) {
		tallies[3]++;
		if (checked == 1)
			fail_msg("damage %lu: check says consistent, open says %s",
				 number, pmemblk_errormsg());
		if (errno != EINVAL && errno != EIO)
			fail_msg("damage %lu: %s", number, pmemblk_errormsg());
		if (checked == -1)
			assert_int_equal(err, errno);
		assert_non_null(strstr(pmemblk_errormsg(), v->path));
		assert_true(hash_metadata(v) == before);
		return;
	}
	if (checked == -1)
		fail_msg("damage %lu: check fails (%s), open does not", number,
			 strerror(err));
	use_pool(p, checked);
	pmemblk_close(p);
	if (checked == 1 && pmemblk_check(v->path, 0) != 1)
		fail_msg("damage %lu: a good pool went bad by using it: %s", number,
			 pmemblk_errormsg());
}

static unsigned long number_from(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

static unsigned long total(void)
{
	return number_from("DAMAGES", getenv("CHECK_LONG") ? 20000 : 10000);
}

static void torture(const char *name, uint64_t size, size_t bsize, bool laid_out,
		    unsigned long n)
{
	unsigned long seed = number_from("SEED", 1);
	struct victim v;

	memset(tallies, 0, sizeof(tallies));
	make_victim(&v, name, size, bsize, laid_out);
	for (unsigned long i = 0; i < n; i++) {
		state = (seed << 32) + i;
		alarm(60); /* ends the test if it hangs */
		restore(&v);
		damage(&v);
		examine(&v, i);
	}
	alarm(0);
	drop_victim(&v);
	print_message(
	    "%lu damages (seed %lu): check 1: %u, 0: %u, -1: %u; open refused: %u\n", n,
	    seed, tallies[0], tallies[1], tallies[2], tallies[3]);
	/* Each result must occur, otherwise the damages are too weak. */
	for (int i = 0; i < 4; i++)
		assert_true(tallies[i] > 0);
}

static void damaged_pools_neither_crash_nor_hang_nor_lie(void **unused)
{
	(void)unused;
	torture("laid-out", PMEMBLK_MIN_POOL + 123456, 512, true, total() * 85 / 100);
}

static void damaged_fresh_pools_neither_crash_nor_hang_nor_lie(void **unused)
{
	(void)unused;
	torture("fresh", PMEMBLK_MIN_POOL, 4104, false, total() * 10 / 100);
}

static void damaged_pools_of_two_arenas_neither_crash_nor_hang_nor_lie(void **unused)
{
	(void)unused;
	torture("big", ((uint64_t)1 << 39) + (600 << 20), 1 << 20, true,
		total() * 5 / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damaged_pools_neither_crash_nor_hang_nor_lie),
	    cmocka_unit_test(damaged_fresh_pools_neither_crash_nor_hang_nor_lie),
	    cmocka_unit_test(damaged_pools_of_two_arenas_neither_crash_nor_hang_nor_lie),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
