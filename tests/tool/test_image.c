/* SPDX-License-Identifier: BSD-3-Clause */
/* The private image of a pool's files (image/image.h), on a file that is mostly a hole. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libpmemblk.h>

#include "errormsg.h"
#include "image/guard.h"
#include "image/image.h"
#include "image/place.h"

#define PAGE UINT64_C(4096)
#define LENGTH (PMEMBLK_MIN_POOL + 3 * PAGE)
#define DATA (100 * PAGE) /* a page that the file has; those beside it are holes */
#define HOLES (200 * PAGE)
#define NHOLE 130u

static const char *path;
static struct image image;

static int make_pool(void **state)
{
	PMEMblkpool *pool;
	int off = 0;

	(void)state;
	path = support_path(false, "pool");
	unlink(path);
	support_write_file(path, "", 0);
	if (truncate(path, (off_t)LENGTH) != 0 ||
	    pmemblk_ctl_set(NULL, "fallocate.at_create", &off) != 0)
		return -1;
	pool = pmemblk_create(path, 4096, 0, 0600);
	if (!pool)
		return -1;
	pmemblk_close(pool);
	return image_open(path, POOLSET_MEND, &image);
}

static int drop_pool(void **state)
{
	(void)state;
	image_close(&image);
	return 0;
}

static void put(uint64_t off, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, (off_t)off), len);
	close(fd);
}

/* The file's next data, as the system tells. */
static uint64_t next_in_file(uint64_t off)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t at = lseek(fd, (off_t)off, SEEK_DATA);

	close(fd);
	return at < 0 ? UINT64_MAX : (uint64_t)at;
}

static uint64_t next_data(uint64_t off, uint64_t end)
{
	return image.storage.next_data(&image.storage, off, end);
}

/* Skips the case where the file system does not tell of holes, page by page. */
static void need_holes(void)
{
	put(DATA, "x", 1);
	assert_int_equal(image_refresh(&image), 0);
	if (next_in_file(HOLES) < HOLES + NHOLE * PAGE ||
	    next_in_file(DATA - 5 * PAGE) != DATA ||
	    next_in_file(DATA + PAGE) < DATA + 5 * PAGE)
		skip();
	assert_int_equal(next_data(HOLES, HOLES + NHOLE * PAGE), HOLES + NHOLE * PAGE);
	assert_int_equal(next_data(DATA - 5 * PAGE, DATA + 5 * PAGE), DATA);
	assert_int_equal(next_data(DATA + PAGE, DATA + 5 * PAGE), DATA + 5 * PAGE);
}

static void what_was_changed_is_no_hole(void **state)
{
	bool is_changed[NHOLE] = {false};
	uint64_t random = 1;

	(void)state;
	need_holes();
	for (unsigned round = 0; round < 40; round++) {
		unsigned char bytes[2 * PAGE + 1];
		size_t len = 1 + support_random(&random) % (round % 4 ? 4 : 2 * PAGE);
		uint64_t off = support_random(&random) % (NHOLE * PAGE - len);

		if (round % 3 == 0)
			off -= off % PAGE; /* from a page's start, or up to its end */
		if (round % 3 == 1 && off % PAGE + len < PAGE)
			off += PAGE - (off % PAGE + len);
		memset(bytes, (int)round + 1, len);
		image_change(&image, HOLES + off, bytes, len);
		assert_memory_equal(image.map.base + HOLES + off, bytes, len);
		for (uint64_t at = off; at < off + len; at++)
			is_changed[at / PAGE] = true;
		for (unsigned i = 0; i < NHOLE; i++)
			for (unsigned k = i; k < NHOLE; k++) {
				uint64_t end = HOLES + k * PAGE + (k % 2 ? 1 : PAGE);
				uint64_t from = HOLES + i * PAGE + (i % 2 ? 8 : 0);
				unsigned next = i;

				if (from >= end)
					continue;
				while (next <= k && !is_changed[next])
					next++;
				assert_int_equal(next_data(from, end),
						 next > k    ? end
						 : next == i ? from
							     : HOLES + next * PAGE);
			}
	}
	/* data of the file before the changes comes first */
	image_change(&image, DATA + 3 * PAGE, "y", 1);
	assert_int_equal(next_data(DATA - PAGE, DATA + 5 * PAGE), DATA);
	assert_int_equal(next_data(DATA + PAGE, DATA + 5 * PAGE), DATA + 3 * PAGE);
	image_change(&image, DATA - 2 * PAGE, "y", 1);
	assert_int_equal(next_data(DATA - 3 * PAGE, DATA + 5 * PAGE), DATA - 2 * PAGE);
}

static void stores_of_entries_are_changes(void **state)
{
	(void)state;
	need_holes();
	storage_store32(&image.storage, HOLES + 8, 0x12345678);
	assert_int_equal(image.map.base[HOLES + 8], 0x78);
	assert_int_equal(next_data(HOLES, HOLES + 9 * PAGE), HOLES);
}

static void a_refresh_forgets_the_changes(void **state)
{
	(void)state;
	need_holes();
	image_change(&image, DATA, "y", 1);
	image_change(&image, HOLES, "y", 1);
	put(DATA + 1, "z", 1);
	assert_int_equal(image_refresh(&image), 0);
	/* on tmpfs a hole ends when it is read, or changed in a private mapping */
	if (next_in_file(HOLES) != HOLES)
		assert_int_equal(next_data(HOLES, HOLES + PAGE), HOLES + PAGE);
	assert_memory_equal(image.map.base + DATA, "xz", 3);
	assert_int_equal(image.map.base[HOLES], 0);
}

static void open_again(void)
{
	image_close(&image);
	assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
}

/* What was planned for the length that the image has known must not be stored. */
static void another_length_is_seen_by_the_next_image_only(void **state)
{
	static const off_t lengths[] = {LENGTH + 2 * PAGE + 7, LENGTH + 1, LENGTH - 1,
					8192};

	(void)state;
	assert_true(image_length(&image) == LENGTH && image.map.size == LENGTH);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		assert_int_equal(truncate(path, lengths[i]), 0);
		assert_true(image_length(&image) == LENGTH);
		assert_int_equal(image_refresh(&image), -EIO);
		assert_non_null(strstr(errormsg_get(), " bytes now, and had "));
		assert_int_equal(truncate(path, (off_t)LENGTH), 0);
		open_again();
	}
	assert_int_equal(truncate(path, (off_t)(LENGTH + 2 * PAGE + 7)), 0);
	put(LENGTH + PAGE, "behind", 6);
	open_again();
	assert_true(image_length(&image) == LENGTH + 2 * PAGE + 7);
	assert_true(image.map.size == LENGTH + 2 * PAGE);
	assert_true(image.storage.size == LENGTH + 2 * PAGE);
	assert_true(image.params.data_size == LENGTH + 2 * PAGE - 8192);
	assert_memory_equal(image.map.base + LENGTH + PAGE, "behind", 6);
	assert_int_equal(truncate(path, (off_t)LENGTH), 0);
	open_again();
}

/* The page that is appended begins with the bytes that stand behind the last whole page. */
static void the_rest_of_a_file_begins_the_page_that_is_appended(void **state)
{
	static const uint64_t rests[] = {0, 1, 700, 4095};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rests); i++) {
		unsigned char want[PAGE] = {0};
		uint64_t length = 0;
		struct stat st;

		memset(want, 'r', rests[i]);
		assert_int_equal(truncate(path, (off_t)LENGTH), 0);
		put(LENGTH - 4, "last", 4);
		if (rests[i])
			put(LENGTH, want, rests[i]);
		open_again();
		image_change(&image, HOLES, "y", 1);
		assert_int_equal(image_extend(&image, &length), 0);
		assert_true(length == LENGTH + PAGE && image.map.size == length);
		assert_true(image.storage.size == length);
		assert_ptr_equal(image.storage.base, image.map.base);
		assert_true(image.params.data_size == length - 8192);
		assert_memory_equal(image.map.base + LENGTH - 4, "last", 4);
		assert_memory_equal(image.map.base + LENGTH, want, PAGE);
		assert_int_equal(image.map.base[HOLES], 0);
		image_change(&image, LENGTH + 1, "new", 3);
		assert_memory_equal(image.map.base + LENGTH + 1, "new", 3);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, LENGTH + rests[i]);
		image_close(&image);
		assert_int_equal(support_count_mappings(path), 0);
		assert_int_equal(image_open(path, POOLSET_MEND, &image), 0);
	}
	assert_int_equal(truncate(path, (off_t)LENGTH), 0);
	open_again();
}

static void a_shared_image_changes_the_file(void **state)
{
	struct image shared;
	unsigned char *bytes;
	size_t len;

	(void)state;
	need_holes();
	image_change(&image, DATA, "p", 1);
	assert_int_equal(image_map_shared(&image, &shared), 0);
	assert_int_equal(shared.map.base[DATA], 'x');
	assert_true(shared.storage.size == LENGTH);
	memcpy(shared.storage.base + HOLES, "shared", 6);
	assert_int_equal(
	    shared.storage.next_data(&shared.storage, DATA - 2 * PAGE, DATA + PAGE),
	    DATA);
	image_unmap_shared(&shared);
	assert_int_equal(support_count_mappings(path), 1); /* the image's own */
	assert_int_equal(image.map.base[DATA], 'p');
	bytes = support_read_file(path, &len);
	assert_memory_equal(bytes + HOLES, "shared", 6);
	free(bytes);
}

static void the_file_gets_its_length_with_space_or_as_a_hole(void **state)
{
	struct stat before;
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(image_lengthen(&image, LENGTH + 64 * PAGE), 0);
	assert_true(image_length(&image) == LENGTH + 64 * PAGE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, LENGTH + 64 * PAGE);
	assert_true(st.st_blocks < before.st_blocks + 64 * 8);
	assert_int_equal(image_set_length(&image, LENGTH + 96 * PAGE), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, LENGTH + 96 * PAGE);
	assert_true(st.st_blocks >= before.st_blocks + 32 * 8);
	assert_true(st.st_blocks < before.st_blocks + 96 * 8);
	assert_int_equal(image_set_length(&image, LENGTH), 0);
	assert_true(image_length(&image) == LENGTH);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, LENGTH);
}

static int look(void *arg)
{
	return *(volatile unsigned char *)arg & 1;
}

static void a_page_that_cannot_be_accessed_is_named(void **state)
{
	static const uint64_t within[] = {0, 24, PAGE - 1};
	char want[256];
	char what[128];

	(void)state;
	if (support_is_emulated()) /* it does not tell the exact address */
		skip();
	place_describe(&image.map, LENGTH - PAGE, what, sizeof(what));
	snprintf(
	    want, sizeof(want),
	    "the page at offset %llu of the pool, which holds %s, cannot be accessed",
	    (unsigned long long)(LENGTH - PAGE), what);
	assert_int_equal(truncate(path, (off_t)(LENGTH - PAGE)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(within); i++) {
		unsigned char *at = image.map.base + LENGTH - PAGE + within[i];

		assert_int_equal(image_run(&image, look, at), -EIO);
		assert_non_null(strstr(errormsg_get(), want));
		assert_int_equal(guard_run(path, NULL, look, at), -EIO);
		assert_non_null(
		    strstr(errormsg_get(), ": a page of it cannot be accessed"));
	}
	assert_int_equal(image_run(&image, look, image.map.base), image.map.base[0] & 1);
	assert_int_equal(truncate(path, (off_t)LENGTH), 0);
	open_again();
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_pool, drop_pool)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(what_was_changed_is_no_hole),
	    CASE(stores_of_entries_are_changes),
	    CASE(a_refresh_forgets_the_changes),
	    CASE(another_length_is_seen_by_the_next_image_only),
	    CASE(the_rest_of_a_file_begins_the_page_that_is_appended),
	    CASE(a_shared_image_changes_the_file),
	    CASE(the_file_gets_its_length_with_space_or_as_a_hole),
	    CASE(a_page_that_cannot_be_accessed_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
