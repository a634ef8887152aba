/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools on device DAX: what is flushed deeply, and when the pool is marked as open or closed. */
#include "devdax_fixture.h"

#include <sys/resource.h>

#include "pool/shutdown_state.h"

static void a_mark_is_flushed_deeply_and_what_it_vouches_for_before_it(void **state)
{
	PMEMblkpool *p;
	char block[512] = "text";

	(void)state;
	make_machine(1, REGION, "2097152\n");
	p = must(pmemblk_create(devices[0].path, 512, 0, 0600));
	assert_string_equal(flushes, "1");
	assert_int_equal(pmemblk_write(p, block, 0), 0);
	assert_string_equal(flushes, "1");
	pmemblk_close(p);
	assert_string_equal(flushes, "110");
	arm(0);
	p = must(pmemblk_open(devices[0].path, 512));
	assert_string_equal(flushes, "1");
	pmemblk_close(p);
	assert_string_equal(flushes, "110");
	assert_int_equal(support_count_mappings(devices[0].content), 0);
}

static void blocks_are_flushed_deeply_on_every_device_of_a_set(void **state)
{
	const char *set;
	PMEMblkpool *p;

	(void)state;
	make_machine(2, REGION, "2097152\n");
	set = make_set("OPTION SINGLEHDR\n");
	p = must(pmemblk_create(set, 512, 0, 0600));
	assert_string_equal(flushes, "1");
	pmemblk_close(p);
	assert_string_equal(flushes, "1110");
}

static void a_device_without_a_region_has_nothing_to_flush(void **state)
{
	PMEMblkpool *p;

	(void)state;
	make_machine(1, HMEM, "2097152\n");
	p = must(pmemblk_create(devices[0].path, 512, 0, 0600));
	pmemblk_close(p);
	p = must(pmemblk_open(devices[0].path, 512));
	pmemblk_close(p);
	assert_string_equal(flushes, "");
}

static void the_devices_beside_it_are_flushed(void **state)
{
	PMEMblkpool *p;

	(void)state;
	for (int i = 0; i < 2; i++) {
		make_machine(0, REGION, "");
		make_device(i, HMEM, "4096\n");
		make_device(!i, REGION, "4096\n");
		header = devices[0].content;
		p = must(pmemblk_create(make_set("OPTION SINGLEHDR\n"), 512, 0, 0600));
		/* the mark is on the first device */
		assert_string_equal(flushes, i ? "1" : "");
		pmemblk_close(p);
		assert_string_equal(flushes, i ? "110" : "1");
	}
}

static void a_pool_that_keeps_no_state_flushes_none(void **state)
{
	int yes = 1;
	int no = 0;
	PMEMblkpool *p;

	(void)state;
	make_machine(1, REGION, "2097152\n");
	assert_int_equal(pmemblk_ctl_set(NULL, "sds.at_create", &no), 0);
	p = must(pmemblk_create(devices[0].path, 512, 0, 0600));
	assert_int_equal(pmemblk_ctl_set(NULL, "sds.at_create", &yes), 0);
	pmemblk_close(p);
	pmemblk_close(must(pmemblk_open(devices[0].path, 512)));
	assert_string_equal(flushes, "");
}

static void a_pool_is_not_opened_when_its_mark_cannot_be_flushed(void **state)
{
	(void)state;
	make_machine(1, REGION, "2097152\n");
	pmemblk_close(must(pmemblk_create(devices[0].path, 512, 0, 0600)));
	arm(1);
	errno = 0;
	assert_null(pmemblk_open(devices[0].path, 512));
	assert_int_equal(errno, EIO);
	assert_non_null(strstr(pmemblk_errormsg(), devices[0].path));
	assert_non_null(strstr(pmemblk_errormsg(), "deep_flush"));
	assert_int_equal(support_count_mappings(devices[0].content), 0);
	arm(0);
	pmemblk_close(must(pmemblk_open(devices[0].path, 512)));
}

static void assert_not_opened(int err, const char *word)
{
	errno = 0;
	assert_null(pmemblk_open(devices[0].path, 512));
	assert_int_equal(errno, err);
	assert_non_null(strstr(pmemblk_errormsg(), devices[0].path));
	if (!strstr(pmemblk_errormsg(), word))
		fail_msg("%s", pmemblk_errormsg());
}

static void a_device_of_unknown_size_or_alignment_is_not_opened(void **state)
{
	(void)state;
	make_machine(1, REGION, "2097152\n");
	pmemblk_close(must(pmemblk_create(devices[0].path, 512, 0, 0600)));
	fake_sysfs_file(REGION "/dax3.0/size", "many\n");
	assert_not_opened(EINVAL, "cannot read the size");
	fake_sysfs_file(REGION "/dax3.0/size", "20971520\n");
	fake_sysfs_file(REGION "/dax3.0/align", "12288\n");
	assert_not_opened(EINVAL, "no power of 2");
	fake_sysfs_file(REGION "/dax3.0/align", "2097152\n");
	arm(0);
	failing_open = 1;
	assert_not_opened(EMFILE, "cannot open");
	failing_open = 0;
	pmemblk_close(must(pmemblk_open(devices[0].path, 512)));
}

static void without_address_space_no_device_is_opened(void **state)
{
	const struct rlimit none = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
	struct rlimit old;

	(void)state;
	if (SUPPORT_SANITIZED || support_is_emulated())
		skip(); /* they need address space themselves */
	make_machine(1, REGION, "2097152\n");
	pmemblk_close(must(pmemblk_create(devices[0].path, 512, 0, 0600)));
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	assert_not_opened(ENOMEM, "cannot reserve");
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	pmemblk_close(must(pmemblk_open(devices[0].path, 512)));
}

/* For users who may write the device only, not the region's file. */
static void a_pool_is_used_where_deep_flushes_are_not_allowed(void **state)
{
	static const int errors[] = {EACCES, EPERM, EROFS};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		unsigned char mark;

		make_machine(1, REGION, "2097152\n");
		arm(1);
		goes_on_failing = true;
		flush_error = errors[i];
		pmemblk_close(must(pmemblk_create(devices[0].path, 512, 0, 0600)));
		image_read(header, IMAGE_SDS + 16, &mark, 1);
		assert_int_equal(mark, 0);
		pmemblk_close(must(pmemblk_open(devices[0].path, 512)));
		assert_true(strlen(flushes) > 2);
	}
	flush_error = EIO;
}

static void a_pool_whose_blocks_cannot_be_flushed_stays_marked_as_open(void **state)
{
	PMEMblkpool *p;
	unsigned char mark;

	(void)state;
	make_machine(1, REGION, "2097152\n");
	p = must(pmemblk_create(devices[0].path, 512, 0, 0600));
	arm(1);
	pmemblk_close(p);
	image_read(header, IMAGE_SDS + 16, &mark, 1);
	assert_int_equal(mark, 1);
	assert_string_equal(flushes, "1");
	assert_non_null(strstr(pmemblk_errormsg(), "marked as closed"));
}

static void a_mark_in_a_file_goes_through_msync(void **state)
{
	PMEMblkpool *p;
	const char *path = support_path(false, "file");
	char block[512] = "text";

	(void)state;
#ifdef MAP_SYNC_UNUSABLE
	skip();
#endif
	if (geteuid() != 0) {
		print_message(
		    "a file in the making has mode 0: only root can look into it\n");
		skip();
	}
	make_machine(0, REGION, "2097152\n");
	atomic_store(&map_sync_err, 0);
	counts_msync = true;
	header = path;
	p = must(pmemblk_create(path, 512, SIZE, 0600));
	assert_string_equal(flushes, "1");
	assert_int_equal(pmemblk_write(p, block, 0), 0);
	assert_string_equal(flushes, "1");
	pmemblk_close(p);
	assert_string_equal(flushes, "110");
	arm(1);
	errno = 0;
	assert_null(pmemblk_open(path, 512));
	assert_int_equal(errno, EIO);
	assert_int_equal(unlink(path), 0);
	arm(1);
	errno = 0;
	assert_null(pmemblk_create(path, 512, SIZE, 0600));
	assert_int_equal(errno, EIO);
	assert_int_equal(access(path, F_OK), -1);
	atomic_store(&map_sync_err, EOPNOTSUPP);
}

#define MODULE "bus/nd/devices/nmem0/nfit"

/* A machine whose region is one module with this counter of unsafe shutdowns. */
static void make_counting_machine(const char *count)
{
	make_machine(1, REGION, "2097152\n");
	fake_sysfs_file(REGION "/mappings", "1\n");
	fake_sysfs_file(REGION "/mapping0", "nmem0,0,1,0\n");
	fake_sysfs_file(MODULE "/dirty_shutdown", count);
	fake_sysfs_file(MODULE "/id", "8089-a2-1740-00000f57\n");
}

static void a_pool_that_was_open_at_an_unsafe_shutdown_is_not_opened(void **state)
{
	struct shutdown_state now = {0, 0};
	unsigned char front[PAGE];
	PMEMblkpool *p;

	(void)state;
	make_counting_machine("7\n");
	p = must(pmemblk_create(devices[0].path, 512, 0, 0600));
	shutdown_state_add(&now, 7, "8089-a2-1740-00000f57");
	assert_int_equal(image_get64(header, IMAGE_SDS), 7);
	assert_true(image_get64(header, IMAGE_SDS + 8) == now.uuid);
	image_read(header, 0, front, sizeof(front));
	pmemblk_close(p);
	image_write(header, 0, front, sizeof(front)); /* as if it were still open */
	fake_sysfs_file(MODULE "/dirty_shutdown", "8\n");
	assert_not_opened(EINVAL, "count 7");
	assert_non_null(strstr(pmemblk_errormsg(), "now 8"));
	assert_int_equal(pmemblk_check(devices[0].path, 0), -1);
	fake_sysfs_file(MODULE "/dirty_shutdown", "7\n");
	pmemblk_close(must(pmemblk_open(devices[0].path, 512)));
	/* when it is closed, the counter does not matter, and is noted again */
	fake_sysfs_file(MODULE "/dirty_shutdown", "9\n");
	p = must(pmemblk_open(devices[0].path, 512));
	assert_int_equal(image_get64(header, IMAGE_SDS), 9);
	pmemblk_close(p);
}

static void a_counter_that_cannot_be_read_is_an_error(void **state)
{
	(void)state;
	make_counting_machine("many\n");
	errno = 0;
	assert_null(pmemblk_create(devices[0].path, 512, 0, 0600));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(pmemblk_errormsg(), devices[0].path));
	fake_sysfs_file(MODULE "/dirty_shutdown", "7\n");
	pmemblk_close(must(pmemblk_create(devices[0].path, 512, 0, 0600)));
	fake_sysfs_file(MODULE "/dirty_shutdown", "many\n");
	assert_not_opened(EINVAL, "unsafe shutdown counters");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mark_is_flushed_deeply_and_what_it_vouches_for_before_it),
	    cmocka_unit_test(blocks_are_flushed_deeply_on_every_device_of_a_set),
	    cmocka_unit_test(a_device_without_a_region_has_nothing_to_flush),
	    cmocka_unit_test(the_devices_beside_it_are_flushed),
	    cmocka_unit_test(a_pool_that_keeps_no_state_flushes_none),
	    cmocka_unit_test(a_pool_is_not_opened_when_its_mark_cannot_be_flushed),
	    cmocka_unit_test(a_device_of_unknown_size_or_alignment_is_not_opened),
	    cmocka_unit_test(without_address_space_no_device_is_opened),
	    cmocka_unit_test(a_pool_is_used_where_deep_flushes_are_not_allowed),
	    cmocka_unit_test(a_pool_whose_blocks_cannot_be_flushed_stays_marked_as_open),
	    cmocka_unit_test(a_mark_in_a_file_goes_through_msync),
	    cmocka_unit_test(a_pool_that_was_open_at_an_unsafe_shutdown_is_not_opened),
	    cmocka_unit_test(a_counter_that_cannot_be_read_is_an_error),
	};

	return run_on_durable("devdax", tests, sizeof(tests) / sizeof(tests[0]));
}
