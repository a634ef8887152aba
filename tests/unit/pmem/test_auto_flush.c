/* SPDX-License-Identifier: BSD-3-Clause */
/* The eADR decision on imitations of the kernel's nd bus. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "auto_flush.h"
#include "fake_sysfs.h"

static bool has_no_types; /* the folder's file system does not tell what is a link */
static int open_err;	  /* of a region's file */

/* The program is linked with these in place of the real functions. */
struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

struct dirent *__wrap_readdir(DIR *dir)
{
	struct dirent *entry = __real_readdir(dir);

	if (entry && has_no_types)
		entry->d_type = DT_UNKNOWN;
	return entry;
}

int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if (flags & O_CREAT) {
		va_list ap;

		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (open_err && strstr(path, "/persistence_domain")) {
		errno = open_err;
		return -1;
	}
	return __real_open(path, flags, mode);
}

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

static void folders_and_links_are_told_apart_without_types(void **state)
{
	has_no_types = true;
	no_bus_and_no_region_mean_no(state);
	all_regions_must_say_cpu_cache(state);
	has_no_types = false;
}

/* Regions are read in any order. */
static void one_region_decides_wherever_it_is(void **state)
{
	enum { NREGIONS = 5 };

	(void)state;
	for (int which = 0; which < 2 * NREGIONS; which++) {
		fake_sysfs_begin();
		for (int i = 0; i < NREGIONS; i++) {
			char name[16];

			snprintf(name, sizeof(name), "region%d", i);
			add_region(name, which / 2 != i ? "cpu_cache\n"
					 : which % 2	? "memory_controller\n"
							: "");
		}
		assert_int_equal(auto_flush_read(), which % 2 ? 0 : -EIO);
	}
}

static void a_region_that_must_not_be_read_means_no(void **state)
{
	static const struct {
		int err;
		int expected;
	} rows[] = {{EACCES, 0}, {ENOENT, 0}, {EIO, -EIO}, {EMFILE, -EIO}};

	(void)state;
	fake_sysfs_begin();
	add_region("region0", "cpu_cache\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_err = rows[i].err;
		assert_int_equal(auto_flush_read(), rows[i].expected);
	}
	open_err = 0;
	assert_int_equal(auto_flush_read(), 1);
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
	/* 31 characters and the end of the line are still an answer */
	fake_sysfs_begin();
	add_region("region0", "a_domain_of_thirty_one_letters_\n");
	assert_int_equal(auto_flush_read(), 0);
	fake_sysfs_begin();
	add_region("region0", "a_domain_of_thirty_two_letters__\n");
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
	    cmocka_unit_test(folders_and_links_are_told_apart_without_types),
	    cmocka_unit_test(one_region_decides_wherever_it_is),
	    cmocka_unit_test(a_region_that_must_not_be_read_means_no),
	    cmocka_unit_test(a_region_without_an_answer_means_no),
	    cmocka_unit_test(an_answer_that_makes_no_sense_is_an_error),
	    cmocka_unit_test(what_is_nearly_cpu_cache_means_no),
	    cmocka_unit_test(the_working_directory_stays),
	    cmocka_unit_test(the_first_answer_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
