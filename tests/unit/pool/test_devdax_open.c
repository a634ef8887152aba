/* SPDX-License-Identifier: BSD-3-Clause */
/* Which devices a pool can be made on and opened on, and what is left of a call. */
#include "devdax_fixture.h"

static const char *device; /* the path of the first one, on which there is a pool */

static int make_pool(void **state)
{
	(void)state;
	make_machine(1, REGION, "2097152\n");
	device = devices[0].path;
	pmemblk_close(must(pmemblk_create(device, 512, 0, 0600)));
	return 0;
}

static void assert_message(int err, const char *words)
{
	assert_int_equal(errno, err);
	if (!strstr(pmemblk_errormsg(), words))
		fail_msg("%s", pmemblk_errormsg());
}

static void assert_not_opened(const char *path, int err, const char *words)
{
	errno = 0;
	assert_null(pmemblk_open(path, 512));
	assert_message(err, words);
}

static void assert_not_created(const char *path, int err, const char *words)
{
	errno = 0;
	assert_null(pmemblk_create(path, 512, 0, 0600));
	assert_message(err, words);
}

static const char *set_of(const char *text)
{
	const char *path = support_path(false, "set");

	support_write_file(path, text, strlen(text));
	return path;
}

static void a_device_in_use_is_locked(void **state)
{
	PMEMblkpool *p;

	(void)state;
	p = must(pmemblk_open(device, 512));
	assert_not_opened(device, EAGAIN, "is locked");
	assert_not_created(device, EAGAIN, "is locked");
	pmemblk_close(p);
	pmemblk_close(must(pmemblk_open(device, 512)));
}

static void a_set_has_a_device_once(void **state)
{
	(void)state;
	make_machine(1, REGION, "4096\n");
	assert_not_created(set_of("PMEMPOOLSET\nAUTO /dev/zero\nAUTO /dev/zero\n"),
			   EAGAIN, "/dev/zero is listed twice");
	assert_content(0, PAGE);
}

static void a_device_may_have_the_descriptor_0(void **state)
{
	const int input = support_close_input();
	PMEMblkpool *second = NULL;
	PMEMblkpool *p;

	(void)state;
	make_machine(1, REGION, "2097152\n");
	p = pmemblk_create(device, 512, 0, 0600);
	if (p) {
		pmemblk_close(p);
		p = pmemblk_open(device, 512);
	}
	if (p) {
		second = pmemblk_open(device, 512);
		pmemblk_close(p);
	}
	support_restore_input(input);
	must(p);
	assert_null(second);
}

static void the_size_in_a_set_is_that_of_the_device(void **state)
{
	(void)state;
	make_machine(1, REGION, "2097152\n");
	assert_not_created(set_of("PMEMPOOLSET\n19M /dev/zero\n"), EINVAL,
			   "has 20971520 bytes, the set says 19922944");
	assert_content(0, PAGE);
	pmemblk_close(
	    must(pmemblk_create(set_of("PMEMPOOLSET\n20M /dev/zero\n"), 512, 0, 0600)));
	fake_sysfs_file(REGION "/dax3.0/align", "4096\n");
	fake_sysfs_file(REGION "/dax3.0/size", "1048576\n");
	assert_not_opened(device, EINVAL,
			  "has 1048576 bytes, a pool file needs at least");
}

/* A mapping covers whole units. */
static void the_rest_behind_the_last_unit_is_not_used(void **state)
{
	PMEMblkpool *p = must(pmemblk_open(device, 512));
	const size_t nblock = pmemblk_nblock(p);

	(void)state;
	pmemblk_close(p);
	fake_sysfs_file(REGION "/dax3.0/size", "20975616\n");
	p = must(pmemblk_open(device, 512));
	assert_int_equal(pmemblk_nblock(p), nblock);
	pmemblk_close(p);
}

static void a_damaged_header_is_found(void **state)
{
	(void)state;
	image_flip(devices[0].content, 4088);
	assert_not_opened(device, EINVAL, "damaged");
	image_flip(devices[0].content, 4088);
	pmemblk_close(must(pmemblk_open(device, 512)));
}

static void a_device_is_not_mapped_privately(void **state)
{
	int yes = 1;
	int no = 0;

	(void)state;
	errno = 0;
	assert_int_equal(pmemblk_check(device, 0), -1);
	assert_message(EOPNOTSUPP, "cannot be mapped privately");
	assert_int_equal(pmemblk_ctl_set(NULL, "copy_on_write.at_open", &yes), 0);
	assert_not_opened(device, EOPNOTSUPP, "cannot be mapped privately");
	assert_int_equal(pmemblk_ctl_set(NULL, "copy_on_write.at_open", &no), 0);
	pmemblk_close(must(pmemblk_open(device, 512)));
}

static void success_leaves_the_message_and_no_mapping(void **state)
{
	unsigned before;
	char *message;

	(void)state;
	assert_not_opened("/nowhere", ENOENT, "/nowhere");
	message = strdup(pmemblk_errormsg());
	assert_non_null(message);
	make_machine(1, REGION, "2097152\n");
	before = count_mappings();
	pmemblk_close(must(pmemblk_create(device, 512, 0, 0600)));
	assert_int_equal(count_mappings(), before);
	pmemblk_close(must(pmemblk_open(device, 512)));
	assert_int_equal(count_mappings(), before);
	assert_string_equal(pmemblk_errormsg(), message);
	free(message);
}

/* Otherwise it would seem to be no device that has to be flushed. */
static void a_failing_fstat_leaves_no_flush_out(void **state)
{
	unsigned nfailed = 0;
	unsigned n = 0;

	(void)state;
	do {
		PMEMblkpool *p;

		arm(0);
		failing_fstat = ++n;
		errno = 0;
		p = pmemblk_open(device, 512);
		if (p) {
			pmemblk_close(p);
			assert_string_equal(flushes, "110");
		} else {
			assert_int_equal(errno, EIO);
			nfailed++;
		}
	} while (nfstat >= failing_fstat && n < 1000);
	assert_in_range(nfailed, 1, n - 1);
	arm(0);
	pmemblk_close(must(pmemblk_open(device, 512)));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_pool, NULL)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_device_in_use_is_locked),
	    CASE(a_set_has_a_device_once),
	    CASE(a_device_may_have_the_descriptor_0),
	    CASE(the_size_in_a_set_is_that_of_the_device),
	    CASE(the_rest_behind_the_last_unit_is_not_used),
	    CASE(a_damaged_header_is_found),
	    CASE(a_device_is_not_mapped_privately),
	    CASE(success_leaves_the_message_and_no_mapping),
	    CASE(a_failing_fstat_leaves_no_flush_out),
	};

	return run_on_durable("devdax_open", tests, sizeof(tests) / sizeof(tests[0]));
}
