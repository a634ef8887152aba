/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Device DAX without the hardware: a character device that the kernel lets map (/dev/zero),
 * described as a device DAX by an imitation of sysfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "compiler.h"
#include "engine.h"
#include "fake_sysfs.h"
#include "file.h"
#include "is_pmem.h"
#include "libpmem.h"
#include "region.h"

#define DEVICE "/dev/zero"
#define SIZE (4u << 20)
#define TWO_MIB (2u << 20)

static dev_t device(void)
{
	struct stat st;

	assert_int_equal(stat(DEVICE, &st), 0);
	return st.st_rdev;
}

static const char *char_path(const char *rest)
{
	static char path[256];

	snprintf(path, sizeof(path), "dev/char/%u:%u%s", major(device()), minor(device()),
		 rest);
	return path;
}

/* A device DAX of 4 MiB whose folder is dir; its region, if any, is on the bus. */
static void make_device(const char *dir, const char *size, const char *align)
{
	char path[256];

	fake_sysfs_begin();
	fake_sysfs_dir("bus/dax/devices");
	snprintf(path, sizeof(path), "%s/size", dir);
	fake_sysfs_file(path, size);
	if (align) {
		snprintf(path, sizeof(path), "%s/align", dir);
		fake_sysfs_file(path, align);
	}
	snprintf(path, sizeof(path), "%s/subsystem", dir);
	fake_sysfs_link(path, "bus/dax");
	fake_sysfs_link(char_path(""), dir);
}

#define ND "devices/LNXSYSTM:00/ndbus0/region3/dax3.0/dax/dax3.0"
#define HMEM "devices/platform/hmem.0/dax0.0"
#define CXL "devices/platform/ACPI0017:00/root0/region3/dax_region3/dax3.0"

static void a_dax_class_device_is_told_from_others(void **state)
{
	enum file_type type;

	(void)state;
	make_device(HMEM, "4194304\n", "2097152\n");
	assert_int_equal(file_classify(DEVICE, &type), 0);
	assert_int_equal(type, FILE_DEVDAX);
	assert_int_equal(file_classify("/dev/null", &type), -EINVAL);
	fake_sysfs_begin();
	fake_sysfs_dir("class/mem");
	fake_sysfs_link(char_path("/subsystem"), "class/mem");
	assert_int_equal(file_classify(DEVICE, &type), -EINVAL);
	assert_true(strstr(pmem_errormsg(), DEVICE) != NULL);
}

static void size_and_alignment_are_where_old_and_new_kernels_put_them(void **state)
{
	uint64_t value;

	(void)state;
	make_device(HMEM, "4194304\n", "2097152\n");
	assert_int_equal(file_devdax_size(DEVICE, &value), 0);
	assert_int_equal(value, SIZE);
	assert_int_equal(file_devdax_alignment(DEVICE, &value), 0);
	assert_int_equal(value, TWO_MIB);

	make_device(HMEM, "0x100000000\n", NULL);
	assert_int_equal(file_devdax_size(DEVICE, &value), 0);
	assert_int_equal(value, (uint64_t)1 << 32);
	assert_int_equal(file_devdax_alignment(DEVICE, &value), -ENOENT);
	fake_sysfs_file(HMEM "/device/align", "1073741824\n");
	assert_int_equal(file_devdax_alignment(DEVICE, &value), 0);
	assert_int_equal(value, 1u << 30);
	make_device(HMEM, "4194304\n", NULL);
	fake_sysfs_file(HMEM "/device/dax_region/align", "4096\n");
	assert_int_equal(file_devdax_alignment(DEVICE, &value), 0);
	assert_int_equal(value, 4096);

	make_device(HMEM, "many\n", "12345\n");
	assert_int_equal(file_devdax_size(DEVICE, &value), -EINVAL);
	assert_int_equal(file_devdax_alignment(DEVICE, &value), -EINVAL);
	make_device(HMEM, "-1\n", "0\n");
	assert_int_equal(file_devdax_size(DEVICE, &value), -EINVAL);
	assert_int_equal(file_devdax_alignment(DEVICE, &value), -EINVAL);
}

static void it_maps_whole_and_is_persistent_memory(void **state)
{
	static const int flags[] = {0, PMEM_FILE_CREATE, PMEM_FILE_SPARSE,
				    PMEM_FILE_CREATE | PMEM_FILE_SPARSE};
	static const char *const dirs[] = {ND, HMEM, CXL};
	size_t len;
	int is_pmem;

	(void)state;
	for (size_t d = 0; d < 3; d++)
		for (size_t i = 0; i < 8; i++) {
			char *p;

			make_device(dirs[d], "4194304\n", "2097152\n");
			p = pmem_map_file(DEVICE, i % 2 ? SIZE : 0, flags[i / 2], 0, &len,
					  &is_pmem);
			assert_non_null(p);
			assert_int_equal(len, SIZE);
			assert_int_equal(is_pmem, 1);
			assert_int_equal((uintptr_t)p % TWO_MIB, 0);
			p[SIZE - 1] = 1;
			pmem_persist(p, SIZE);
			assert_int_equal(pmem_deep_persist(p, SIZE), 0);
			assert_int_equal(pmem_unmap(p, len), 0);
			assert_int_equal(pmem_is_pmem(p, len), 0);
		}
}

static void it_is_mapped_at_its_alignment(void **state)
{
	enum { COUNT = 3 };
	const size_t gib = (size_t)1 << 30;
	char *p[COUNT];

	(void)state;
	make_device(HMEM, "4194304\n", "1073741824\n");
	for (int i = 0; i < COUNT; i++) {
		p[i] = pmem_map_file(DEVICE, 0, 0, 0, NULL, NULL);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % gib, 0);
	}
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(pmem_unmap(p[i], SIZE), 0);
	/* Without its alignment it would not be mapped. */
	make_device(HMEM, "4194304\n", NULL);
	errno = 0;
	assert_null(pmem_map_file(DEVICE, 0, 0, 0, NULL, NULL));
	assert_int_equal(errno, ENOENT);
}

static void a_device_of_unknown_size_is_refused(void **state)
{
	(void)state;
	make_device(HMEM, "4194304\n", "2097152\n");
	assert_int_equal(unlink(fake_sysfs_path(HMEM "/size")), 0);
	errno = 0;
	assert_null(pmem_map_file(DEVICE, 0, 0, 0, NULL, NULL));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(pmem_errormsg(), "cannot learn the size of"));
}

static void it_is_no_persistent_memory_where_the_cpu_cannot_flush(void **state)
{
	const struct engine_flush *chosen = engine.flush_backend;
	struct engine_flush none = *chosen;
	int is_pmem = 4711;
	size_t len;
	char *p;

	(void)state;
	none.durable = false;
	make_device(HMEM, "4194304\n", "2097152\n");
	engine.flush_backend = &none;
	p = pmem_map_file(DEVICE, 0, 0, 0, &len, &is_pmem);
	engine.flush_backend = chosen;
	assert_non_null(p);
	assert_int_equal(is_pmem, 0);
	assert_int_equal(pmem_is_pmem(p, 1), 0);
	assert_non_null(strstr(pmem_errormsg(), "this CPU cannot write its caches back"));
	assert_int_equal(pmem_unmap(p, len), 0);
}

static void other_flags_and_lengths_are_refused(void **state)
{
	(void)state;
	make_device(HMEM, "4194304\n", "2097152\n");
	for (int flags = 0; flags < 16; flags++) {
		if (!(flags & (PMEM_FILE_EXCL | PMEM_FILE_TMPFILE)))
			continue;
		errno = 0;
		assert_null(pmem_map_file(DEVICE, 0, flags, 0, NULL, NULL));
		assert_int_equal(errno, EINVAL);
	}
	errno = 0;
	assert_null(pmem_map_file(DEVICE, SIZE - 1, PMEM_FILE_CREATE, 0, NULL, NULL));
	assert_int_equal(errno, EINVAL);
	/* The message tells the right size. */
	assert_non_null(strstr(pmem_errormsg(), "4194304"));
	make_device(HMEM, "garbage\n", "2097152\n");
	errno = 0;
	assert_null(pmem_map_file(DEVICE, 0, 0, 0, NULL, NULL));
	assert_int_equal(errno, EINVAL);
}

static void add_nd_region(const char *deep_flush)
{
	if (deep_flush)
		fake_sysfs_file("devices/LNXSYSTM:00/ndbus0/region3/deep_flush",
				deep_flush);
	fake_sysfs_link("bus/nd/devices/region3", "devices/LNXSYSTM:00/ndbus0/region3");
}

static void the_region_is_the_one_on_the_nd_bus(void **state)
{
	static const char *const others[] = {
	    "devices/ndbus1/regions/dax12.0",	       "devices/ndbus1/region/dax12.0",
	    "devices/ndbus1/region12x/dax12.0",	       "devices/ndbus1/others7/dax12.0",
	    "devices/ndbus/region12/dax12.0",	       "devices/ndbus1x/region12/dax12.0",
	    "devices/xdbus1/region12/dax12.0",	       "devices/xdbus1/others7/dax12.0",
	    "devices/ndbus1/region4294967299/dax12.0",
	};

	(void)state;
	make_device(ND, "4194304\n", "2097152\n");
	assert_int_equal(region_of_device(device()), 3);
	make_device("devices/ndbus1/region12/dax12.0", "4194304\n", "2097152\n");
	assert_int_equal(region_of_device(device()), 12);
	make_device("devices/ndbus9/region9/dax9.0", "4194304\n", "2097152\n");
	assert_int_equal(region_of_device(device()), 9);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		make_device(others[i], "4194304\n", "2097152\n");
		assert_int_equal(region_of_device(device()), -1);
	}
	/* A region of the cxl bus that happens to have the same number. */
	make_device(CXL, "4194304\n", "2097152\n");
	fake_sysfs_dir("devices/LNXSYSTM:00");
	add_nd_region("1\n");
	assert_int_equal(region_of_device(device()), -1);
	make_device(HMEM, "4194304\n", "2097152\n");
	assert_int_equal(region_of_device(device()), -1);
	fake_sysfs_begin();
	assert_int_equal(region_of_device(device()), -1);
}

static void deep_drain_writes_to_the_region_where_it_is_needed(void **state)
{
	static const struct {
		const char *text;
		const char *after;
	} rows[] = {
	    {"1\n", "1\n"}, {"0\n", "0\n"}, {"2\n", "1\n"}, {"", ""}, {"10\n", "10\n"}};
	size_t len;
	char *p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned char *now;
		size_t n;

		make_device(ND, "4194304\n", "2097152\n");
		add_nd_region(rows[i].text);
		p = pmem_map_file(DEVICE, 0, 0, 0, &len, NULL);
		assert_non_null(p);
		assert_int_equal(pmem_deep_drain(p + 100, 1), 0);
		now = support_read_file(
		    fake_sysfs_path("devices/LNXSYSTM:00/ndbus0/region3/deep_flush"), &n);
		assert_string_equal((char *)now, rows[i].after);
		free(now);
		assert_int_equal(pmem_deep_drain(p, 0), 0);
		assert_int_equal(pmem_unmap(p, len), 0);
	}
	make_device(ND, "4194304\n", "2097152\n");
	add_nd_region(NULL);
	p = pmem_map_file(DEVICE, 0, 0, 0, &len, NULL);
	assert_int_equal(pmem_deep_drain(p, len), 0);
	assert_int_equal(pmem_unmap(p, len), 0);
}

static int nfences;

static void count_fence(void)
{
	nfences++;
}

static void deep_drain_waits_for_flushes_first(void **state)
{
	static const char *const dirs[] = {ND, HMEM};
	void (*fence)(void) = engine.fence;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		size_t len;
		char *p;

		make_device(dirs[i], "4194304\n", "2097152\n");
		if (i == 0)
			add_nd_region("1\n");
		p = pmem_map_file(DEVICE, 0, 0, 0, &len, NULL);
		assert_non_null(p);
		engine.fence = count_fence;
		nfences = 0;
		assert_int_equal(pmem_deep_drain(p, len), 0);
		assert_int_equal(nfences, 1);
		engine.fence = fence;
		assert_int_equal(pmem_unmap(p, len), 0);
	}
}

/* Then the region's file gets the descriptor 0. */
static void without_a_standard_input_deep_drain_writes_the_region_as_well(void **state)
{
	int input;
	unsigned char *now;
	size_t len;
	size_t n;
	char *p;

	(void)state;
	make_device(ND, "4194304\n", "2097152\n");
	add_nd_region("2\n");
	input = support_close_input();
	p = pmem_map_file(DEVICE, 0, 0, 0, &len, NULL);
	assert_non_null(p);
	assert_int_equal(pmem_deep_drain(p, len), 0);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	support_restore_input(input);
	now = support_read_file(
	    fake_sysfs_path("devices/LNXSYSTM:00/ndbus0/region3/deep_flush"), &n);
	assert_string_equal((char *)now, "1\n");
	free(now);
	assert_int_equal(pmem_unmap(p, len), 0);
}

/* No file can be written: the kernel refuses the flush that it asked for. */
static void deep_drain_reports_a_flush_that_fails(void **state)
{
	uint64_t before;
	size_t len;
	char *p;

	(void)state;
	make_device(ND, "4194304\n", "2097152\n");
	add_nd_region("1\n");
	p = pmem_map_file(DEVICE, 0, 0, 0, &len, NULL);
	assert_non_null(p);
	signal(SIGXFSZ, SIG_IGN);
	before = support_limit_file_size(0);
	errno = 0;
	assert_int_equal(pmem_deep_drain(p, len), -1);
	assert_int_equal(errno, EFBIG);
	errno = 0;
	assert_int_equal(pmem_deep_persist(p, 1), -1);
	assert_int_equal(errno, EFBIG);
	support_limit_file_size(before);
	assert_non_null(strstr(pmem_errormsg(), "deep_flush"));
	assert_int_equal(pmem_deep_drain(p, len), 0);
	assert_int_equal(pmem_unmap(p, len), 0);
}

/* Drains p as a user who may only read the region's file. Returns the exit status of a child. */
static int drain_without_rights(const char *file, const char *p, size_t len)
{
	if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
		return 1;
	if (access(file, R_OK) != 0 || access(file, W_OK) == 0)
		return 77;
	errno = 0;
	if (pmem_deep_drain(p, len) != -1 || errno != EACCES)
		return 2;
	if (!strstr(pmem_errormsg(), "deep_flush"))
		return 3;
	errno = 0;
	return pmem_deep_persist(p, 1) == -1 && errno == EACCES ? 0 : 4;
}

static void deep_drain_reports_a_region_that_must_not_be_written(void **state)
{
	const char *file;
	size_t len;
	char *p;
	int status;
	pid_t pid;

	(void)state;
	make_device(ND, "4194304\n", "2097152\n");
	add_nd_region("1\n");
	assert_int_equal(chmod(support_tmpdir(false), 0755), 0);
	file = fake_sysfs_path("devices/LNXSYSTM:00/ndbus0/region3/deep_flush");
	assert_int_equal(chmod(file, 0444), 0);
	p = pmem_map_file(DEVICE, 0, 0, 0, &len, NULL);
	assert_non_null(p);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(drain_without_rights(file, p, len));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(pmem_unmap(p, len), 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: the temporary folder cannot be read by others\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_dax_class_device_is_told_from_others),
	    cmocka_unit_test(size_and_alignment_are_where_old_and_new_kernels_put_them),
	    cmocka_unit_test(it_maps_whole_and_is_persistent_memory),
	    cmocka_unit_test(it_is_mapped_at_its_alignment),
	    cmocka_unit_test(a_device_of_unknown_size_is_refused),
	    cmocka_unit_test(it_is_no_persistent_memory_where_the_cpu_cannot_flush),
	    cmocka_unit_test(other_flags_and_lengths_are_refused),
	    cmocka_unit_test(the_region_is_the_one_on_the_nd_bus),
	    cmocka_unit_test(deep_drain_writes_to_the_region_where_it_is_needed),
	    cmocka_unit_test(deep_drain_waits_for_flushes_first),
	    cmocka_unit_test(
		without_a_standard_input_deep_drain_writes_the_region_as_well),
	    cmocka_unit_test(deep_drain_reports_a_flush_that_fails),
	    cmocka_unit_test(deep_drain_reports_a_region_that_must_not_be_written),
	};

	/* Also on a CPU that cannot make anything durable. */
	struct engine_flush durable = *engine.flush_backend;

	durable.durable = true;
	engine.flush_backend = &durable;
	unsetenv("PMEM_IS_PMEM_FORCE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
