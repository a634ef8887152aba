/* SPDX-License-Identifier: BSD-3-Clause */
/* Bad blocks of a device DAX: the list of its region tells of them, in sectors of the region. */
#include "devdax_fixture.h"

#define SECTOR ((size_t)512)
#define BEGIN (START / SECTOR) /* of the device, which begins 2 MiB behind its region */
#define END (BEGIN + SIZE / SECTOR)
#define EVERYTHING "0 36028797018963967\n"

#define AT_REGION REGION "/resource"
#define AT_DEVICE REGION "/dax3.0/resource"
#define LIST REGION "/badblocks"

static int make_pool(void **state)
{
	(void)state;
	make_machine(1, REGION, "4096\n");
	pmemblk_close(must(pmemblk_create(devices[0].path, 512, 0, 0600)));
	fake_sysfs_file(AT_REGION, "0x240000000\n");
	fake_sysfs_file(AT_DEVICE, "0x240200000\n");
	return 0;
}

static void make_bad(size_t sector, size_t count)
{
	char text[64];

	snprintf(text, sizeof(text), "%zu %zu\n", sector, count);
	fake_sysfs_file(LIST, text);
}

static void assert_bad(const char *what)
{
	errno = 0;
	assert_null(pmemblk_open(devices[0].path, 512));
	assert_int_equal(errno, EIO);
	assert_non_null(strstr(pmemblk_errormsg(), devices[0].path));
	if (!strstr(pmemblk_errormsg(), what))
		fail_msg("%s", pmemblk_errormsg());
}

static void assert_good(void)
{
	pmemblk_close(must(pmemblk_open(devices[0].path, 512)));
}

static void a_device_on_bad_blocks_is_refused(void **state)
{
	(void)state;
	assert_good();
	make_bad(BEGIN, 8);
	assert_bad(" 4096 bytes, the first at offset 0");
	make_bad(BEGIN + 2048, 8);
	assert_bad(" 4096 bytes, the first at offset 1048576");
	make_bad(BEGIN - 8, 16);
	assert_bad(" 4096 bytes, the first at offset 0");
	make_bad(END - 8, 16);
	assert_bad(" 4096 bytes, the first at offset 20967424");
	make_bad(END - 1, 1);
	assert_bad(" 512 bytes, the first at offset 20971008");
	fake_sysfs_file(AT_REGION, "0x240200000\n");
	make_bad(0, 8);
	assert_bad(" 4096 bytes, the first at offset 0");
}

static void bad_blocks_beside_it_do_not_matter(void **state)
{
	(void)state;
	make_bad(0, BEGIN);
	assert_good();
	make_bad(END, 8);
	assert_good();
	fake_sysfs_file(LIST, "");
	assert_good();
}

/* Then it is not known where the blocks are. */
static void a_device_of_unknown_place_is_used(void **state)
{
	static const struct {
		const char *region;
		const char *device;
	} places[] = {
	    {"0x20000000\n", "0x10000000\n"},	{"0\n", NULL},
	    {NULL, "0xfffffffffffff000\n"},	{"0\n", "many\n"},
	    {"many\n", "0xfffffffffffff000\n"},
	};

	(void)state;
	fake_sysfs_file(LIST, EVERYTHING);
	assert_bad(" 20971520 bytes, the first at offset 0");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		unlink(fake_sysfs_path(AT_REGION));
		unlink(fake_sysfs_path(AT_DEVICE));
		if (places[i].region)
			fake_sysfs_file(AT_REGION, places[i].region);
		if (places[i].device)
			fake_sysfs_file(AT_DEVICE, places[i].device);
		assert_good();
	}
}

static void no_pool_is_made_on_bad_blocks(void **state)
{
	(void)state;
	make_machine(1, REGION, "4096\n");
	fake_sysfs_file(AT_REGION, "0x240000000\n");
	fake_sysfs_file(AT_DEVICE, "0x240200000\n");
	make_bad(BEGIN + 2048, 8);
	errno = 0;
	assert_null(pmemblk_create(devices[0].path, 512, 0, 0600));
	assert_int_equal(errno, EIO);
	assert_non_null(strstr(pmemblk_errormsg(), "bad blocks"));
	assert_content(0, PAGE);
}

static void a_device_without_a_region_has_no_list(void **state)
{
	(void)state;
	make_machine(1, HMEM, "4096\n");
	fake_sysfs_file(HMEM "/resource", "0\n");
	fake_sysfs_file(HMEM "/dax3.0/resource", "0\n");
	fake_sysfs_file(HMEM "/badblocks", EVERYTHING);
	pmemblk_close(must(pmemblk_create(devices[0].path, 512, 0, 0600)));
	assert_good();
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_pool, NULL)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_device_on_bad_blocks_is_refused),
	    CASE(bad_blocks_beside_it_do_not_matter),
	    CASE(a_device_of_unknown_place_is_used),
	    cmocka_unit_test(no_pool_is_made_on_bad_blocks),
	    cmocka_unit_test(a_device_without_a_region_has_no_list),
	};

	return run_on_durable("devdax_badblocks", tests,
			      sizeof(tests) / sizeof(tests[0]));
}
