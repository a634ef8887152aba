/* SPDX-License-Identifier: BSD-3-Clause */
/* The eADR decision on imitations of the kernel's nd bus. */
#include <errno.h>

#include "auto_flush.h"
#include "fake_sysfs.h"

static void add_region(const char *name, const char *text)
{
	char dir[128];
	char file[192];
	char link[128];

	snprintf(dir, sizeof(dir), "devices/%s", name);
	snprintf(file, sizeof(file), "%s/persistence_domain", dir);
	snprintf(link, sizeof(link), "bus/nd/devices/%s", name);
	if (text)
		fake_sysfs_file(file, text);
	else
		fake_sysfs_dir(dir);
	fake_sysfs_link(link, dir);
}

static void no_bus_and_no_region_mean_no(void **state)
{
	(void)state;
	fake_sysfs_begin();
	assert_int_equal(auto_flush_read(), 0);
	fake_sysfs_file("bus/nd/devices", "a file instead of a folder");
	assert_int_equal(auto_flush_read(), 0);
	fake_sysfs_begin();
	fake_sysfs_dir("bus/nd/devices");
	assert_int_equal(auto_flush_read(), 0);
	fake_sysfs_file("bus/nd/devices/region0/persistence_domain", "cpu_cache\n");
	assert_int_equal(auto_flush_read(), 0); /* not a link */
	fake_sysfs_link("bus/nd/devices/region1", "devices/nowhere");
	assert_int_equal(auto_flush_read(), 0);
}

static void all_regions_must_say_cpu_cache(void **state)
{
	(void)state;
	fake_sysfs_begin();
	add_region("region0", "cpu_cache\n");
	assert_int_equal(auto_flush_read(), 1);
	add_region("myregionX", "cpu_cache\n");
	assert_int_equal(auto_flush_read(), 1);
	add_region("ndbus0", "no region\n");
	assert_int_equal(auto_flush_read(), 1);
	add_region("region1", "memory_controller\n");
	assert_int_equal(auto_flush_read(), 0);
}

static void a_region_without_an_answer_means_no(void **state)
{
	(void)state;
	fake_sysfs_begin();
	add_region("region0", NULL);
	assert_int_equal(auto_flush_read(), 0);
	fake_sysfs_begin();
	fake_sysfs_dir("devices/region0/persistence_domain");
	fake_sysfs_link("bus/nd/devices/region0", "devices/region0");
	assert_int_equal(auto_flush_read(), 0);
}

static void an_answer_that_makes_no_sense_is_an_error(void **state)
{
	(void)state;
	fake_sysfs_begin();
	add_region("region0", "");
	assert_int_equal(auto_flush_read(), -EIO);
	fake_sysfs_begin();
	add_region("region0", "cpu_cache");
	assert_int_equal(auto_flush_read(), -EIO);
	fake_sysfs_begin();
	add_region("region0", "a text that is longer than any known domain is\n");
	assert_int_equal(auto_flush_read(), -EIO);
}

static void what_is_nearly_cpu_cache_means_no(void **state)
{
	static const char *const texts[] = {"cpu_cache \n", "cpu_cach\n", "CPU_CACHE\n",
					    "\n", "cpu_cache\n\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fake_sysfs_begin();
		add_region("region0", texts[i]);
		assert_int_equal(auto_flush_read(), 0);
	}
}

static void the_working_directory_stays(void **state)
{
	char before[PATH_MAX];
	char after[PATH_MAX];

	(void)state;
	fake_sysfs_begin();
	add_region("region0", "cpu_cache\n");
	assert_non_null(getcwd(before, sizeof(before)));
	/* That a relative root works shows that no step has changed the working directory. */
	assert_int_equal(chdir(sysfs_root), 0);
	sysfs_root = ".";
	assert_int_equal(auto_flush_read(), 1);
	assert_int_equal(auto_flush_read(), 1);
	assert_int_equal(chdir(before), 0);
	assert_non_null(getcwd(after, sizeof(after)));
	assert_string_equal(before, after);
}

static void the_first_answer_is_kept(void **state)
{
	int first = auto_flush_get();

	(void)state;
	fake_sysfs_begin();
	add_region("region0", first == 1 ? "memory_controller\n" : "cpu_cache\n");
	assert_int_equal(auto_flush_get(), first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_bus_and_no_region_mean_no),
	    cmocka_unit_test(all_regions_must_say_cpu_cache),
	    cmocka_unit_test(a_region_without_an_answer_means_no),
	    cmocka_unit_test(an_answer_that_makes_no_sense_is_an_error),
	    cmocka_unit_test(what_is_nearly_cpu_cache_means_no),
	    cmocka_unit_test(the_working_directory_stays),
	    cmocka_unit_test(the_first_answer_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
