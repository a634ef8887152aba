/* SPDX-License-Identifier: BSD-3-Clause */
/* Which devices count as files of a pool, with an imitation of the kernel's answers about loop devices. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "commands/own_files.h"
#include "compiler.h"
#include "sysfs.h"

/* struct loop_info64, as far as the tool reads it */
struct answer {
	uint64_t device;
	uint64_t inode;
	uint64_t rdevice;
};

static struct answer answer;
static int error; /* the errno of the question */

/* Replaces libc's. The type of request is that of libc. */
#ifdef __GLIBC__
SUPPORT_INTERPOSE int ioctl(int fd, unsigned long request, ...)
#else
SUPPORT_INTERPOSE int ioctl(int fd, int request, ...)
#endif
{
	va_list ap;

	(void)fd;
	assert_int_equal(request, 0x4c05);
	if (error) {
		errno = error;
		return -1;
	}
	va_start(ap, request);
	memcpy(va_arg(ap, void *), &answer, sizeof(answer));
	va_end(ap);
	return 0;
}

static struct stat part;
static struct own_files files = {.path = "pool", .n = 1, .file = &part};

static enum own_files_answer look(unsigned major, unsigned minor)
{
	const struct stat st = {.st_mode = S_IFBLK | 0600,
				.st_dev = 5,
				.st_ino = 77,
				.st_rdev = makedev(major, minor)};

	return own_files_look(&files, -1, &st);
}

/* Device numbers of more than 8 bits, as the kernel encodes them. */
static void the_file_behind_a_loop_device_is_known_by_its_number(void **state)
{
	(void)state;
	error = 0;
	part = (struct stat){.st_dev = makedev(0x123, 0x45678), .st_ino = 42};
	answer = (struct answer){.device = 0x45612378, .inode = 42};
	assert_int_equal(look(7, 1), OWN_FILES_YES);
	assert_int_equal(look(259, 1), OWN_FILES_YES); /* a partition */
	answer.inode = 43;
	assert_int_equal(look(7, 1), OWN_FILES_NO);
	answer.inode = 42;
	answer.device = 0x45612379;
	assert_int_equal(look(7, 1), OWN_FILES_NO);
	/* old kernels give the device once more */
	answer.device = answer.rdevice = 0x45612378;
	assert_int_equal(look(7, 1), OWN_FILES_YES);
}

static void a_loop_device_that_tells_nothing_may_be_a_file_of_the_pool(void **state)
{
	static const int errors[] = {EPERM, ENOTTY, ENXIO, EINVAL};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		error = errors[i];
		errno = 0;
		assert_int_equal(look(7, 1), OWN_FILES_UNKNOWN);
		assert_int_equal(errno, error);
	}
}

static void a_partition_is_known_as_that_of_a_loop_device(void **state)
{
	static const char *const folders[] = {"sys", "sys/dev", "sys/dev/block",
					      "sys/dev/block/259:3",
					      "sys/dev/block/259:3/loop"};

	(void)state;
	sysfs_root = support_path(true, "sys");
	error = EPERM;
	assert_int_equal(look(259, 3), OWN_FILES_NO);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		assert_int_equal(mkdir(support_path(true, folders[i]), 0700), 0);
	assert_int_equal(look(259, 3), OWN_FILES_UNKNOWN);
	assert_int_equal(look(259, 4), OWN_FILES_NO);
	sysfs_root = "/sys";
}

static void other_disks_are_no_files_of_the_pool(void **state)
{
	(void)state;
	error = ENOTTY;
	assert_int_equal(look(8, 1), OWN_FILES_NO);
}

/* A loop device on another block device: that one is asked, too, if it may be a loop device. */
static void
a_loop_device_below_that_cannot_be_asked_may_be_a_file_of_the_pool(void **state)
{
	(void)state;
	error = 0;
	part = (struct stat){.st_dev = 9, .st_ino = 42};
	answer = (struct answer){.device = 5, .inode = 42, .rdevice = 7 << 8 | 255};
	assert_int_equal(look(7, 254), OWN_FILES_UNKNOWN);
	answer.rdevice = 8 << 8 | 1;
	assert_int_equal(look(7, 254), OWN_FILES_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_file_behind_a_loop_device_is_known_by_its_number),
	    cmocka_unit_test(a_loop_device_that_tells_nothing_may_be_a_file_of_the_pool),
	    cmocka_unit_test(a_partition_is_known_as_that_of_a_loop_device),
	    cmocka_unit_test(other_disks_are_no_files_of_the_pool),
	    cmocka_unit_test(
		a_loop_device_below_that_cannot_be_asked_may_be_a_file_of_the_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
