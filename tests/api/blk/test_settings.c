/* SPDX-License-Identifier: BSD-3-Clause */
/* What the settings of prefault, sds and copy_on_write do to a pool. */
#include "pool_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image.h"

static size_t resident(PMEMblkpool *p)
{
	unsigned long from;
	unsigned long to;
	size_t n = 0;
	char *line = NULL;
	size_t room = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	(void)p;
	assert_non_null(f);
	while (getline(&line, &room, f) > 0) {
		unsigned char *vec;
		size_t pages;

		if (!strstr(line, fixture_path) ||
		    sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		pages = (to - from) / 4096;
		vec = malloc(pages);
		assert_int_equal(mincore((void *)from, to - from, vec), 0);
		for (size_t i = 0; i < pages; i++)
			n += vec[i] & 1;
		free(vec);
	}
	free(line);
	fclose(f);
	return n;
}

static void prefault_makes_all_pages_resident(void **state)
{
	const char *shm_path = fixture_path;
	int on = 1;
	int off = 0;
	PMEMblkpool *p;
	int fd;

	(void)state;
	fixture_path = support_path(false, "prefault");
	p = fixture_create(512, SIZE, 0644);
	assert_true(resident(p) < SIZE / 4096);
	pmemblk_close(p);
	unlink(fixture_path);
	assert_int_equal(pmemblk_ctl_set(NULL, "prefault.at_create", &on), 0);
	p = fixture_create(512, SIZE, 0644);
	assert_int_equal(resident(p), SIZE / 4096);
	pmemblk_close(p);
	assert_int_equal(pmemblk_ctl_set(NULL, "prefault.at_create", &off), 0);

	fd = open(fixture_path, O_RDWR);
	assert_int_equal(fsync(fd), 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	assert_int_equal(pmemblk_ctl_set(NULL, "prefault.at_open", &on), 0);
	p = fixture_open();
	assert_int_equal(resident(p), SIZE / 4096);
	pmemblk_close(p);
	assert_int_equal(pmemblk_ctl_set(NULL, "prefault.at_open", &off), 0);
	unlink(fixture_path);
	fixture_path = shm_path;
}

static void the_shutdown_state_can_be_left_out(void **state)
{
	int on = 1;
	int off = 0;

	(void)state;
	assert_int_equal(pmemblk_ctl_set(NULL, "sds.at_create", &off), 0);
	pmemblk_close(fixture_create(512, SIZE, 0644));
	assert_int_equal(pmemblk_ctl_set(NULL, "sds.at_create", &on), 0);
	assert_int_equal(image_get32(fixture_path, IMAGE_INCOMPAT), 2);
	assert_int_equal(image_get32(fixture_path, IMAGE_COMPAT), 1);
	pmemblk_close(fixture_open());
	unlink(fixture_path);
	pmemblk_close(fixture_create(512, SIZE, 0644));
	assert_int_equal(image_get32(fixture_path, IMAGE_INCOMPAT), 6);
}

static void the_shutdown_state_is_marked_while_the_pool_is_open(void **state)
{
	PMEMblkpool *p = fixture_create(512, SIZE, 0644);

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(image_get32(fixture_path, IMAGE_SDS + 16), 1);
		assert_int_equal(image_get64(fixture_path, IMAGE_SDS + 56),
				 0x0000000c00000001);
		pmemblk_close(p);
		assert_int_equal(image_get32(fixture_path, IMAGE_SDS + 16), 0);
		assert_int_equal(image_get64(fixture_path, IMAGE_SDS + 56), 0);
		p = fixture_open();
	}
	pmemblk_close(p);
}

static void a_header_checksum_that_covers_the_shutdown_state_stays_valid(void **state)
{
	PMEMblkpool *p;

	(void)state;
	pmemblk_close(fixture_create(512, SIZE, 0644));
	image_put32(fixture_path, IMAGE_INCOMPAT, 4);
	image_seal_header(fixture_path, 0);
	p = fixture_open();
	assert_int_equal(image_get32(fixture_path, IMAGE_SDS + 16), 0);
	pmemblk_close(p);
	pmemblk_close(fixture_open());
}

static void copy_on_write_changes_are_gone_after_close(void **state)
{
	char block[512] = "new";
	char got[512] = "";
	int on = 1;
	int off = 0;
	uint64_t before;
	PMEMblkpool *p = fixture_create(512, SIZE, 0644);

	(void)state;
	strcpy(got, "old");
	assert_int_equal(pmemblk_write(p, got, 0), 0);
	pmemblk_close(p);
	before = image_hash(fixture_path);
	assert_int_equal(pmemblk_ctl_set(NULL, "copy_on_write.at_open", &on), 0);
	p = fixture_open();
	assert_int_equal(pmemblk_write(p, block, 0), 0);
	assert_int_equal(pmemblk_set_error(p, 1), 0);
	assert_int_equal(pmemblk_read(p, got, 0), 0);
	assert_string_equal(got, "new");
	assert_int_equal(image_hash(fixture_path), before);
	errno = 0;
	assert_null(pmemblk_open(fixture_path, 0));
	assert_int_equal(errno, EAGAIN);
	pmemblk_close(p);
	assert_int_equal(image_hash(fixture_path), before);
	assert_int_equal(pmemblk_ctl_set(NULL, "copy_on_write.at_open", &off), 0);
	p = fixture_open();
	assert_int_equal(pmemblk_read(p, got, 0), 0);
	assert_memory_equal(got, "old", 4);
	assert_int_equal(pmemblk_read(p, got, 1), 0);
	pmemblk_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FIXTURE_CASE(prefault_makes_all_pages_resident),
	    FIXTURE_CASE(the_shutdown_state_can_be_left_out),
	    FIXTURE_CASE(the_shutdown_state_is_marked_while_the_pool_is_open),
	    FIXTURE_CASE(a_header_checksum_that_covers_the_shutdown_state_stays_valid),
	    FIXTURE_CASE(copy_on_write_changes_are_gone_after_close),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
