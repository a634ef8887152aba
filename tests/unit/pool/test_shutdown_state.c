/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "errormsg.h"
#include "image.h"
#include "pool/build.h"
#include "pool/shutdown_devices.h"
#include "pool/shutdown_state.h"
#include "sysfs.h"

static const struct shutdown_state none;

/* The errno with which opens of files of this name fail. */
static int open_error;
static const char *closed_name;

SUPPORT_INTERPOSE int open(const char *path, int flags, ...)
{
	const char *slash = strrchr(path, '/');
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (open_error && slash && strcmp(slash + 1, closed_name) == 0) {
		errno = open_error;
		return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static void reseal(struct pool_sds *sds)
{
	sds->checksum =
	    cpu_to_le64(image_fletcher64((unsigned char *)sds, sizeof(*sds), 56, 0));
}

static void on_plain_files_a_clean_block_is_zero(void **state)
{
	static const struct pool_sds zero;
	struct pool_sds sds;

	(void)state;
	shutdown_state_make(&sds, &none, false);
	assert_memory_equal(&sds, &zero, sizeof(sds));
	assert_int_equal(shutdown_state_check(&sds, &none, "file"), 0);
}

static void on_plain_files_an_open_block_is_the_originals(void **state)
{
	size_t len;
	unsigned char *header = support_load_sparse(
	    support_source("tests/support/vectors/hdr-single-dirty.hex"), &len);
	struct pool_sds sds;

	(void)state;
	shutdown_state_make(&sds, &none, true);
	assert_memory_equal(&sds, header + IMAGE_SDS, sizeof(sds));
	assert_int_equal(le64_to_cpu(sds.checksum), 0x0000000c00000001);
	assert_int_equal(shutdown_state_check(&sds, &none, "file"), 0);
	free(header);
}

static void a_moved_counter_matters_only_while_open(void **state)
{
	const struct shutdown_state before = {7, 0x1234};
	const struct shutdown_state after = {8, 0x1234};
	const struct shutdown_state elsewhere = {7, 0x4321};
	struct pool_sds sds;

	(void)state;
	shutdown_state_make(&sds, &before, true);
	assert_int_equal(shutdown_state_check(&sds, &before, "file"), 0);
	assert_int_equal(shutdown_state_check(&sds, &after, "a file"), -EINVAL);
	assert_non_null(strstr(errormsg_get(), "a file"));
	assert_non_null(strstr(errormsg_get(), "count 7"));
	assert_non_null(strstr(errormsg_get(), "now 8"));
	assert_int_equal(shutdown_state_check(&sds, &elsewhere, "file"), -EINVAL);
	shutdown_state_make(&sds, &before, false);
	assert_int_equal(shutdown_state_check(&sds, &after, "file"), 0);
	assert_int_equal(shutdown_state_check(&sds, &elsewhere, "file"), 0);
}

static void an_interrupted_update_is_accepted(void **state)
{
	const struct shutdown_state before = {7, 0x1234};
	const struct shutdown_state after = {8, 0x1234};
	struct pool_sds sds;

	(void)state;
	shutdown_state_make(&sds, &before, true);
	sds.usc = cpu_to_le64(6);
	assert_int_equal(shutdown_state_check(&sds, &after, "file"), 0);
	reseal(&sds);
	assert_int_equal(shutdown_state_check(&sds, &after, "file"), -EINVAL);
}

/* The checksum of a name: its NUL and 1 to 4 zeros up to a multiple of 4 count. */
static void names_are_padded_before_they_are_summed(void **state)
{
	static const char *const names[] = {"a", "abc", "abcd", "8680-56341200",
					    "seven77"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		unsigned char padded[64] = {0};
		size_t len = strlen(names[i]) + 1;
		struct shutdown_state s = {1, 2};

		memcpy(padded, names[i], len);
		len += 4 - len % 4;
		shutdown_state_add(&s, 5, names[i]);
		assert_int_equal(s.usc, 6);
		assert_int_equal(s.uuid,
				 2 + image_fletcher64(padded, len, SIZE_MAX - 8, 0));
	}
}

/* The value that the original stored for a virtual NVDIMM of qemu. */
static void a_name_has_the_originals_checksum(void **state)
{
	struct shutdown_state s = {0, 0};

	(void)state;
	shutdown_state_add(&s, 0, "8680-56341200");
	assert_int_equal(s.uuid, 0xbae7daff93a09cc9);
}

/* --- an imitated machine ---------------------------------------------------------------- */

static char *machine;

/* Makes the machine and the folders above a path in it. */
static void make_folders(char *full)
{
	for (char *c = full + strlen(machine); (c = strchr(c, '/')) != NULL; c++) {
		*c = '\0';
		mkdir(full, 0755);
		*c = '/';
	}
}

static void put(const char *path, const char *text)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", machine, path);
	make_folders(full);
	support_write_file(full, text, strlen(text));
}

static void put_link(const char *path, const char *target)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", machine, path);
	make_folders(full);
	assert_int_equal(symlink(target, full), 0);
}

/* Regions with two modules that count, with one that does not, and with one unknown. */
static int make_machine(void **state)
{
	(void)state;
	assert_true(asprintf(&machine, "%s/sys", support_tmpdir(false)) > 0);
	put("devices/acpi/ndbus0/region0/mappings", "2\n");
	put("devices/acpi/ndbus0/region0/mapping0", "nmem0,0,1073741824,0\n");
	put("devices/acpi/ndbus0/region0/mapping1", "nmem1,0,1073741824,1\n");
	put("devices/acpi/ndbus0/region0/pfn0.0/block/pmem0/dev", "259:0\n");
	put("devices/acpi/ndbus0/region0/dax0.0/dax0.0/dev", "252:1\n");
	put("devices/acpi/ndbus0/region1/mappings", "1\n");
	put("devices/acpi/ndbus0/region1/mapping0", "nmem2,0,1073741824,0\n");
	put("devices/acpi/ndbus0/region1/pfn1.0/block/pmem1/dev", "259:1\n");
	put("devices/acpi/ndbus0/region2/mappings", "1\n");
	put("devices/acpi/ndbus0/region2/mapping0", "nmem3,0,1073741824,0\n");
	put("devices/acpi/ndbus0/region2/pfn2.0/block/pmem2/dev", "259:2\n");
	put("devices/pci/virtio1/block/vda/dev", "254:0\n");
	put("bus/nd/devices/nmem0/nfit/dirty_shutdown", "3\n");
	put("bus/nd/devices/nmem0/nfit/id", "8089-a2-1740-00000f57\n");
	put("bus/nd/devices/nmem1/nfit/dirty_shutdown", "4\n");
	put("bus/nd/devices/nmem1/nfit/id", "8089-a2-1740-00000f58\n");
	put("bus/nd/devices/nmem2/nfit/id", "8680-56341200\n");
	put_link("dev/block/259:0",
		 "../../devices/acpi/ndbus0/region0/pfn0.0/block/pmem0");
	put_link("dev/block/259:1",
		 "../../devices/acpi/ndbus0/region1/pfn1.0/block/pmem1");
	put_link("dev/block/259:2",
		 "../../devices/acpi/ndbus0/region2/pfn2.0/block/pmem2");
	put_link("dev/block/254:0", "../../devices/pci/virtio1/block/vda");
	put_link("dev/char/252:1", "../../devices/acpi/ndbus0/region0/dax0.0/dax0.0");
	sysfs_root = machine;
	return 0;
}

static int drop_machine(void **state)
{
	char command[600];

	(void)state;
	sysfs_root = "/sys";
	snprintf(command, sizeof(command), "rm -rf '%s'", machine);
	assert_int_equal(system(command), 0);
	free(machine);
	return 0;
}

static void modules_of_a_region_are_summed(void **state)
{
	struct shutdown_state s = {0, 0};
	struct shutdown_state want = {0, 0};

	(void)state;
	assert_int_equal(shutdown_devices_add(&s, "file", makedev(259, 0), false), 0);
	shutdown_state_add(&want, 7, "8089-a2-1740-00000f578089-a2-1740-00000f58");
	assert_int_equal(s.usc, 7);
	assert_int_equal(s.uuid, want.uuid);
	assert_int_equal(shutdown_devices_add(&s, "dev", makedev(252, 1), true), 0);
	assert_int_equal(s.usc, 14);
	assert_int_equal(s.uuid, 2 * want.uuid);
}

static void modules_that_do_not_count_add_their_name(void **state)
{
	struct shutdown_state s = {0, 0};

	(void)state;
	assert_int_equal(shutdown_devices_add(&s, "file", makedev(259, 1), false), 0);
	assert_int_equal(s.usc, 0);
	assert_int_equal(s.uuid, 0xbae7daff93a09cc9);
}

static void an_empty_name_adds_nothing(void **state)
{
	struct shutdown_state s = {0, 0};
	struct shutdown_state want = {0, 0};

	(void)state;
	put("bus/nd/devices/nmem1/nfit/id", "");
	assert_int_equal(shutdown_devices_add(&s, "file", makedev(259, 0), false), 0);
	shutdown_state_add(&want, 7, "8089-a2-1740-00000f57");
	assert_memory_equal(&s, &want, sizeof(s));
}

static void devices_without_modules_add_nothing(void **state)
{
	struct shutdown_state s = {0, 0};

	(void)state;
	assert_int_equal(shutdown_devices_add(&s, "disk", makedev(254, 0), false), 0);
	assert_int_equal(shutdown_devices_add(&s, "tmpfs", makedev(0, 33), false), 0);
	assert_int_equal(shutdown_devices_add(&s, "gone", makedev(8, 1), false), 0);
	assert_int_equal(shutdown_devices_add(&s, "old", makedev(259, 2), false), 0);
	assert_memory_equal(&s, &none, sizeof(s));
}

#define REGION "devices/acpi/ndbus0/region1"

static void put_number(const char *path, unsigned n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u\n", n);
	put(path, text);
}

/* The second region gets n modules with counter 1 and names of len letters, the last of last_len. */
static void make_modules(unsigned n, int len, int last_len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

	for (unsigned i = 0; i < n; i++) {
		char path[100];
		char text[100];

		snprintf(path, sizeof(path), REGION "/mapping%u", i);
		snprintf(text, sizeof(text), "nmem%u,0,1,0\n", 100 + i);
		put(path, text);
		snprintf(path, sizeof(path), "bus/nd/devices/nmem%u/nfit/dirty_shutdown",
			 100 + i);
		put(path, "1\n");
		snprintf(path, sizeof(path), "bus/nd/devices/nmem%u/nfit/id", 100 + i);
		snprintf(text, sizeof(text), "%.*s\n", i + 1 < n ? len : last_len,
			 letters);
		put(path, text);
	}
	put_number(REGION "/mappings", n);
}

static int add_second_region(struct shutdown_state *s)
{
	*s = none;
	return shutdown_devices_add(s, "/mnt/file", makedev(259, 1), false);
}

static void a_region_without_modules_adds_nothing(void **state)
{
	struct shutdown_state s;

	(void)state;
	put(REGION "/mappings", "0\n");
	assert_int_equal(add_second_region(&s), 0);
	assert_memory_equal(&s, &none, sizeof(s));
}

static void more_names_than_can_be_summed_are_an_error(void **state)
{
	struct shutdown_state s;

	(void)state;
	make_modules(171, 24, 15);
	assert_int_equal(add_second_region(&s), 0);
	assert_int_equal(s.usc, 171);
	for (int last = 16; last <= 24; last += 8) {
		make_modules(171, 24, last);
		assert_int_equal(add_second_region(&s), -ENAMETOOLONG);
		assert_memory_equal(&s, &none, sizeof(s));
		assert_non_null(strstr(errormsg_get(), "/mnt/file"));
	}
}

/* No region has so many: the number is not believed. */
static void of_very_many_modules_the_first_ones_count(void **state)
{
	struct shutdown_state s;

	(void)state;
	make_modules(256, 1, 1);
	put_number(REGION "/mappings", 300);
	assert_int_equal(add_second_region(&s), 0);
	assert_int_equal(s.usc, 256);
}

/* Files with these descriptors are on the disks of the first two regions. */
enum { FIRST_DISK = 1000, SECOND_DISK };

SUPPORT_INTERPOSE int fstat(int fd, struct stat *st)
{
	if (fd != FIRST_DISK && fd != SECOND_DISK)
		return (int)syscall(SYS_fstat, fd, st);
	memset(st, 0, sizeof(*st));
	st->st_dev = makedev(259, (unsigned)(fd - FIRST_DISK));
	return 0;
}

static void the_modules_of_all_parts_are_summed(void **state)
{
	struct poolset_part part[] = {{.fd = FIRST_DISK, .path = (char[]){"a"}},
				      {.fd = SECOND_DISK, .path = (char[]){"b"}}};
	struct poolset set = {.part = part, .npart = 2};
	struct shutdown_state want = {0, 0};
	struct shutdown_state s;

	(void)state;
	shutdown_state_add(&want, 7, "8089-a2-1740-00000f578089-a2-1740-00000f58");
	shutdown_state_add(&want, 0, "8680-56341200");
	assert_int_equal(pool_read_modules(&set, &s), 0);
	assert_memory_equal(&s, &want, sizeof(s));
}

static void a_counter_that_is_there_but_unreadable_is_an_error(void **state)
{
	struct shutdown_state s = {0, 0};

	(void)state;
	put("bus/nd/devices/nmem1/nfit/dirty_shutdown", "many\n");
	assert_int_equal(shutdown_devices_add(&s, "/mnt/file", makedev(259, 0), false),
			 -EINVAL);
	assert_non_null(strstr(errormsg_get(), "/mnt/file"));
}

/* By all these errors kernels say that there is no such thing. */
static void what_is_missing_counts_nothing_and_other_failures_are_errors(void **state)
{
	static const struct {
		int err;
		bool is_missing;
	} rows[] = {{ENOENT, true}, {ENOTDIR, true}, {ENODEV, true},
		    {ENXIO, true},  {ENOTTY, true},  {EOPNOTSUPP, true},
		    {EIO, false},   {EACCES, false}, {EMFILE, false}};
	struct shutdown_state names = {0, 0};

	(void)state;
	shutdown_state_add(&names, 0, "8089-a2-1740-00000f578089-a2-1740-00000f58");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int is_id = 0; is_id < 2; is_id++) {
			struct shutdown_state s = {0, 0};
			int ret;

			closed_name = is_id ? "id" : "dirty_shutdown";
			open_error = rows[i].err;
			ret = shutdown_devices_add(&s, "file", makedev(259, 0), false);
			open_error = 0;
			assert_int_equal(ret, rows[i].is_missing ? 0 : -rows[i].err);
			assert_memory_equal(
			    &s, rows[i].is_missing && !is_id ? &names : &none, sizeof(s));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(on_plain_files_a_clean_block_is_zero),
	    cmocka_unit_test(on_plain_files_an_open_block_is_the_originals),
	    cmocka_unit_test(a_moved_counter_matters_only_while_open),
	    cmocka_unit_test(an_interrupted_update_is_accepted),
	    cmocka_unit_test(names_are_padded_before_they_are_summed),
	    cmocka_unit_test(a_name_has_the_originals_checksum),
	    cmocka_unit_test_setup_teardown(modules_of_a_region_are_summed, make_machine,
					    drop_machine),
	    cmocka_unit_test_setup_teardown(modules_that_do_not_count_add_their_name,
					    make_machine, drop_machine),
	    cmocka_unit_test_setup_teardown(an_empty_name_adds_nothing, make_machine,
					    drop_machine),
	    cmocka_unit_test_setup_teardown(devices_without_modules_add_nothing,
					    make_machine, drop_machine),
	    cmocka_unit_test_setup_teardown(a_region_without_modules_adds_nothing,
					    make_machine, drop_machine),
	    cmocka_unit_test_setup_teardown(more_names_than_can_be_summed_are_an_error,
					    make_machine, drop_machine),
	    cmocka_unit_test_setup_teardown(of_very_many_modules_the_first_ones_count,
					    make_machine, drop_machine),
	    cmocka_unit_test_setup_teardown(the_modules_of_all_parts_are_summed,
					    make_machine, drop_machine),
	    cmocka_unit_test_setup_teardown(
		a_counter_that_is_there_but_unreadable_is_an_error, make_machine,
		drop_machine),
	    cmocka_unit_test_setup_teardown(
		what_is_missing_counts_nothing_and_other_failures_are_errors,
		make_machine, drop_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
