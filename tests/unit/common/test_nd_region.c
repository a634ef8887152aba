/* SPDX-License-Identifier: BSD-3-Clause */
/* Regions of devices, and attributes of what is no device DAX, in imitations of sysfs. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "compiler.h"
#include "fake_sysfs.h"
#include "file.h"
#include "nd_region.h"
#include "support.h"

#define DEVICE makedev(1, 5)

static void make_device(const char *dir)
{
	fake_sysfs_begin();
	fake_sysfs_parents(dir);
	fake_sysfs_dir(dir);
	fake_sysfs_link("dev/char/1:5", dir);
}

static void a_device_on_the_nd_bus_has_the_folder_of_its_region(void **state)
{
	static const struct {
		const char *dir;
		const char *region;
		int number;
	} rows[] = {
	    {"devices/x:00/ndbus0/region3/dax3.0/dax/dax3.0",
	     "devices/x:00/ndbus0/region3", 3},
	    {"devices/ndbus1/region12/dax12.0", "devices/ndbus1/region12", 12},
	    {"devices/ndbus1/region2147483647/dax1.0", "devices/ndbus1/region2147483647",
	     INT_MAX},
	};
	char folder[PATH_MAX];
	char want[PATH_MAX];
	int number;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		make_device(rows[i].dir);
		assert_int_equal(nd_region_find(DEVICE, true, folder, &number), 0);
		assert_int_equal(number, rows[i].number);
		assert_non_null(realpath(fake_sysfs_path(rows[i].region), want));
		assert_string_equal(folder, want);
	}
}

/* Else the folder would be whatever was in the variable before. */
static void other_devices_have_none(void **state)
{
	static const char *const dirs[] = {
	    "devices/ndbus1/regions/dax12.0",
	    "devices/ndbus1/region12x/dax12.0",
	    "devices/ndbus1/region2147483648/dax1.0",
	    "devices/ndbus1/others7/dax12.0",
	    "devices/xdbus1/region12/dax12.0",
	    "devices/xdbus1/others7/dax12.0",
	    "devices/platform/hmem.0/dax0.0",
	    "devices/platform/x:00/root0/region3/dax_region3/dax3.0",
	};
	char folder[PATH_MAX];
	int number;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		make_device(dirs[i]);
		assert_int_equal(nd_region_find(DEVICE, true, folder, &number), -ENODEV);
	}
	/* A block device of the same number, one that sysfs does not know, and none. */
	make_device("devices/ndbus1/region12/dax12.0");
	assert_int_equal(nd_region_find(DEVICE, false, folder, &number), -ENODEV);
	assert_int_equal(nd_region_find(makedev(1, 6), true, folder, &number), -ENODEV);
	assert_int_equal(nd_region_find(makedev(0, 33), false, folder, &number), -ENODEV);
}

static void what_is_no_device_has_no_size_and_no_alignment(void **state)
{
	const char *none = support_path(false, "none");
	const char *file = support_path(false, "file");
	uint64_t value;

	(void)state;
	support_write_file(file, "x", 1);
	assert_int_equal(file_devdax_size(none, &value), -ENOENT);
	assert_int_equal(file_devdax_alignment(none, &value), -ENOENT);
	assert_int_equal(file_devdax_size(file, &value), -EINVAL);
	assert_int_equal(file_devdax_alignment(file, &value), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_device_on_the_nd_bus_has_the_folder_of_its_region),
	    cmocka_unit_test(other_devices_have_none),
	    cmocka_unit_test(what_is_no_device_has_no_size_and_no_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
