/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of a set get space exactly where the image's bytes are, or the caller hears why not. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "errormsg.h"
#include "image/image.h"
#include "poolset/files.h"

enum { PAGE = 4096, NPART = 3, PAGES = 600 };

static struct poolset *set;
static unsigned char allocated[NPART][PAGES]; /* how often, by page of the file */
static int fail_with; /* the result of the next call; 0: as it is */
static int ncall;

SUPPORT_INTERPOSE int posix_fallocate(int fd, off_t off, off_t len)
{
	int err = fail_with;

	ncall++;
	fail_with = 0;
	if (err)
		return err;
	for (unsigned i = 0; i < NPART; i++)
		if (set && fd == set->part[i].fd) {
			assert_int_equal(off % PAGE, 0);
			assert_int_equal(len % PAGE, 0);
			assert_true(off + len <= PAGES * PAGE);
			for (off_t at = off; at < off + len; at += PAGE)
				allocated[i][at / PAGE]++;
		}
	return 0;
}

static int make_set(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NPART; i++) {
		char name[16];
		const char *path;

		snprintf(name, sizeof(name), "part%u", i);
		path = support_path(true, name);
		unlink(path);
		support_write_file(path, "", 0);
		assert_int_equal(truncate(path, PAGES * PAGE), 0);
		if (i == 0)
			assert_int_equal(poolset_single(path, 0, &set), 0);
		else
			assert_int_equal(poolset_add_part(set, strdup(path), 0, i), 0);
	}
	assert_int_equal(poolset_files_open(set, POOLSET_WRITE), 0);
	return 0;
}

static int drop_set(void **state)
{
	(void)state;
	poolset_files_close(set);
	poolset_free(set);
	return 0;
}

/* Pages of the image, of which all parts but the first have one less than the file. */
static bool is_allocated(uint64_t page)
{
	unsigned part = 0;

	if (page < PAGES)
		return allocated[0][page] == 1;
	page -= PAGES;
	part = 1 + (unsigned)(page / (PAGES - 1));
	return allocated[part][1 + page % (PAGES - 1)] == 1;
}

static unsigned count_allocated(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NPART; i++)
		for (unsigned k = 0; k < PAGES; k++)
			n += allocated[i][k];
	return n;
}

static void a_range_is_allocated_wherever_its_bytes_are(void **state)
{
	struct image image = {.set = set};
	const uint64_t npage = PAGES + (NPART - 1) * (PAGES - 1);
	uint64_t random = 3;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		uint64_t a = support_random(&random) % npage;
		uint64_t n = support_random(&random) % (npage - a + 1);

		if (i % 3 == 0) { /* from the end of one file */
			a = PAGES - 1 + (uint64_t)(i / 3 % 3);
			n = 1 + (uint64_t)(i / 9 % 3);
		}
		memset(allocated, 0, sizeof(allocated));
		assert_int_equal(image_allocate(&image, a * PAGE, n * PAGE), 0);
		if (count_allocated() != n)
			fail_msg("%u pages instead of %u", count_allocated(),
				 (unsigned)n);
		for (uint64_t page = a; page < a + n; page++)
			if (!is_allocated(page))
				fail_msg("not page %u of [%u, %u)", (unsigned)page,
					 (unsigned)a, (unsigned)(a + n));
	}
}

static void an_error_ends_it_and_names_the_file(void **state)
{
	struct image image = {.set = set};

	(void)state;
	ncall = 0;
	fail_with = ENOSPC;
	assert_int_equal(image_allocate(&image, (PAGES - 1) * PAGE, 2 * PAGE), -ENOSPC);
	assert_int_equal(ncall, 1);
	assert_non_null(
	    strstr(errormsg_get(), "allocate 4096 bytes at offset 2453504 of "));
	assert_non_null(strstr(errormsg_get(), "part0"));
}

static void an_interrupted_call_begins_again(void **state)
{
	struct image image = {.set = set};

	(void)state;
	memset(allocated, 0, sizeof(allocated));
	fail_with = EINTR;
	assert_int_equal(image_allocate(&image, 7 * PAGE, PAGE), 0);
	assert_int_equal(allocated[0][7], 1);
}

/* Stores that find no space are caught there. */
static void a_file_system_that_cannot_allocate_is_no_error(void **state)
{
	struct image image = {.set = set};

	(void)state;
	fail_with = EOPNOTSUPP;
	assert_int_equal(image_allocate(&image, 0, PAGE), 0);
}

static void devices_have_their_space(void **state)
{
	struct image image = {.set = set};

	(void)state;
	ncall = 0;
	set->part[1].is_devdax = true;
	assert_int_equal(image_allocate(&image, PAGES * PAGE, PAGE), 0);
	set->part[1].is_devdax = false;
	assert_int_equal(ncall, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_range_is_allocated_wherever_its_bytes_are),
	    cmocka_unit_test(an_error_ends_it_and_names_the_file),
	    cmocka_unit_test(an_interrupted_call_begins_again),
	    cmocka_unit_test(a_file_system_that_cannot_allocate_is_no_error),
	    cmocka_unit_test(devices_have_their_space),
	};

	return cmocka_run_group_tests(tests, make_set, drop_set);
}
