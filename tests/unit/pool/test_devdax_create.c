/* SPDX-License-Identifier: BSD-3-Clause */
/* Creates on device DAX that fail: what is left on the devices. */
#include "devdax_fixture.h"

static void a_failed_create_leaves_nothing_of_a_pool(void **state)
{
	(void)state;
	make_machine(1, REGION, "2097152\n");
	arm(1);
	errno = 0;
	assert_null(pmemblk_create(devices[0].path, 512, 0, 0600));
	assert_int_equal(errno, EIO);
	assert_non_null(strstr(pmemblk_errormsg(), devices[0].path));
	assert_non_null(strstr(pmemblk_errormsg(), "deep_flush"));
	assert_content(0, START);
	/* When the header is cleared, that is flushed deeply, too. */
	assert_string_equal(flushes, "10");
	/* If that flush fails, too, the message still describes the first failure. */
	arm(1);
	goes_on_failing = true;
	assert_null(pmemblk_create(devices[0].path, 512, 0, 0600));
	assert_string_equal(flushes, "10");
	assert_non_null(strstr(pmemblk_errormsg(), devices[0].path));
	assert_content(0, START);
	arm(0);
	pmemblk_close(must(pmemblk_create(devices[0].path, 512, 0, 0600)));
}

static void it_leaves_nothing_on_any_device_that_it_wrote_to(void **state)
{
	(void)state;
	make_machine(2, REGION, "4096\n");
	arm(1);
	assert_null(pmemblk_create(make_set(""), 512, 0, 0600));
	assert_content(0, START);
	assert_content(1, START);
	/* Here the second device has no header. */
	make_machine(2, REGION, "4096\n");
	arm(1);
	assert_null(pmemblk_create(make_set("OPTION SINGLEHDR\n"), 512, 0, 0600));
	assert_content(0, START);
	assert_content(1, PAGE);
}

/* Elsewhere another mapping of the device finds out whether libpmem can flush. */
#if defined(__x86_64__) || defined(__aarch64__)
#define CAN_ALWAYS_FLUSH true
#else
#define CAN_ALWAYS_FLUSH false
#endif

/* Each mapping of a device fails in turn, also those for the headers of the later devices. */
static void only_devices_that_it_wrote_to_are_cleared(void **state)
{
	/* creates that had stored the second header, but not the third */
	unsigned ncleared = 0;
	unsigned at;

	(void)state;
#ifdef MAP_SYNC_UNUSABLE
	skip();
#endif
	if (!CAN_ALWAYS_FLUSH)
		skip();
	for (at = 1; at < 100; at++) {
		PMEMblkpool *p;
		unsigned char byte;
		unsigned before;
		bool is_cleared;

		make_machine(3, REGION, "4096\n");
		before = count_mappings();
		atomic_store(&map_sync_failing, at);
		errno = 0;
		p = pmemblk_create(make_set(""), 512, 0, 0600);
		if (p) {
			pmemblk_close(p);
			assert_int_equal(count_mappings(), before);
			break;
		}
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(count_mappings(), before);
		image_read(devices[1].content, START - 1, &byte, 1);
		is_cleared = byte == 0;
		ncleared += is_cleared;
		assert_content(0, PAGE);
		assert_content(1, is_cleared ? START : PAGE);
		assert_content(2, PAGE);
	}
	assert_in_range(at, 5, 99);
	assert_int_equal(ncleared, 1);
}

static void a_create_that_fails_before_it_stores_changes_nothing(void **state)
{
	(void)state;
	if (!CAN_ALWAYS_FLUSH)
		skip();
	make_machine(1, REGION, "2097152\n");
	failing_open = 2; /* to be flushed deeply */
	errno = 0;
	assert_null(pmemblk_create(devices[0].path, 512, 0, 0600));
	assert_int_equal(errno, EMFILE);
	assert_int_equal(opens, 2);
	assert_content(0, PAGE);
	errno = 0;
	assert_null(pmemblk_create(devices[0].path, 1u << 30, 0, 0600));
	assert_int_equal(errno, EINVAL);
	assert_content(0, PAGE);
}

static void a_device_that_holds_a_pool_keeps_it(void **state)
{
	PMEMblkpool *p;
	unsigned char *before;
	unsigned char *after;
	size_t len;

	(void)state;
	make_machine(2, REGION, "4096\n");
	p = must(pmemblk_create(devices[0].path, 512, 0, 0600));
	pmemblk_close(p);
	before = support_read_file(devices[0].content, &len);
	errno = 0;
	assert_null(pmemblk_create(devices[0].path, 512, 0, 0600));
	assert_int_equal(errno, EEXIST);
	errno = 0;
	assert_null(pmemblk_create(make_set(""), 512, 0, 0600));
	assert_int_equal(errno, EEXIST);
	after = support_read_file(devices[0].content, &len);
	assert_memory_equal(before, after, SIZE);
	assert_content(1, PAGE);
	free(before);
	free(after);
}

/* Refuses to make a pool of the set, and changes neither device. */
static void assert_refused(const char *set, int ndevice, const char *word)
{
	errno = 0;
	assert_null(pmemblk_create(set, 512, 0, 0600));
	assert_int_equal(errno, EINVAL);
	if (!strstr(pmemblk_errormsg(), word))
		fail_msg("%s", pmemblk_errormsg());
	assert_non_null(strstr(pmemblk_errormsg(), set));
	for (int i = 0; i < ndevice; i++)
		assert_content(i, PAGE);
}

/* The header of the second one would take a whole piece of its alignment. */
static void several_devices_of_large_alignment_need_one_header(void **state)
{
	(void)state;
	make_machine(2, REGION, "2097152\n");
	assert_refused(make_set(""), 2, "OPTION SINGLEHDR");
	assert_non_null(strstr(pmemblk_errormsg(), "2097152 bytes"));
	pmemblk_close(must(pmemblk_create(make_set("OPTION SINGLEHDR\n"), 512, 0, 0600)));
	/* also where only one of them is so aligned, whichever */
	for (int i = 0; i < 2; i++) {
		make_machine(0, REGION, "");
		make_device(i, REGION, "2097152\n");
		make_device(!i, REGION, "4096\n");
		assert_refused(make_set(""), 2, devices[i].path);
	}
	/* the others in their own right */
	make_machine(1, REGION, "2097152\n");
	pmemblk_close(must(pmemblk_create(make_set(""), 512, 0, 0600)));
	make_machine(2, REGION, "4096\n");
	pmemblk_close(must(pmemblk_create(make_set(""), 512, 0, 0600)));
}

static void a_set_is_of_devices_or_of_files(void **state)
{
	const char *set = support_path(false, "mixed");
	const char *file = support_path(false, "file");
	char text[512];

	(void)state;
	for (int i = 0; i < 2; i++) {
		make_machine(1, REGION, "4096\n");
		if (i == 0)
			snprintf(text, sizeof(text), "PMEMPOOLSET\nAUTO %s\n20M %s\n",
				 devices[0].path, file);
		else
			snprintf(text, sizeof(text), "PMEMPOOLSET\n20M %s\nAUTO %s\n",
				 file, devices[0].path);
		support_write_file(set, text, strlen(text));
		assert_refused(set, 1, "mixes device DAX and files");
		assert_int_equal(access(file, F_OK), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_failed_create_leaves_nothing_of_a_pool),
	    cmocka_unit_test(it_leaves_nothing_on_any_device_that_it_wrote_to),
	    cmocka_unit_test(only_devices_that_it_wrote_to_are_cleared),
	    cmocka_unit_test(a_create_that_fails_before_it_stores_changes_nothing),
	    cmocka_unit_test(a_device_that_holds_a_pool_keeps_it),
	    cmocka_unit_test(several_devices_of_large_alignment_need_one_header),
	    cmocka_unit_test(a_set_is_of_devices_or_of_files),
	};

	return run_on_durable("devdax_create", tests, sizeof(tests) / sizeof(tests[0]));
}
