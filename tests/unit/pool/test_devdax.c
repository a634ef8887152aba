/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools on device DAX without the hardware: character devices that an imitation of sysfs
 * describes as device DAX of one NVDIMM region. Opening one gives an ordinary file that holds
 * what the device does, and that msync(2) refuses as a device does.
 *
 * Deep flushes are watched from outside: each is noted together with the mark, open or closed,
 * that the pool's header bore at that moment.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "engine.h"
#include "fake_sysfs.h"
#include "image.h"
#include "libpmem.h"
#include "libpmemblk.h"
#include "map_sync.h"

#define SIZE ((size_t)20 << 20)
#define START ((size_t)2 << 20) /* what is cleared of a device */
#define PAGE ((size_t)4096)
#define NDEVICE 3
#define REGION "devices/LNXSYSTM:00/ndbus0/region3"
#define HMEM "devices/platform/hmem.0"

static struct device {
	const char *path;    /* of the character device */
	const char *content; /* of the file in its place */
	dev_t number;
	struct stat file; /* of that file */
} devices[NDEVICE] = {
    {.path = "/dev/zero"}, {.path = "/dev/full"}, {.path = "/dev/null"}};

static unsigned opens;	      /* of devices */
static unsigned failing_open; /* the one that fails, from 1; 0: none */

static const char *header;     /* the file whose mark is noted */
static char flushes[64];       /* the mark at each deep flush, '0' or '1' */
static unsigned failing_flush; /* as failing_open */
static bool goes_on_failing;   /* and all that come after it */
static int flush_error = EIO;
static bool counts_msync; /* it is the deep flush, and works */

static void note_flush(void)
{
	unsigned char mark;
	size_t n = strlen(flushes);

	image_read(header, IMAGE_SDS + 16, &mark, 1);
	assert_true(n + 1 < sizeof(flushes));
	flushes[n] = (char)('0' + mark);
}

static bool must_fail(void)
{
	size_t n = strlen(flushes);

	return n == failing_flush || (goes_on_failing && n > failing_flush);
}

SUPPORT_INTERPOSE int open(const char *path, int flags, ...)
{
	size_t len = strlen(path);
	mode_t mode = 0;

	if (flags & O_CREAT) {
		va_list ap;

		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (len > 11 && !strcmp(path + len - 11, "/deep_flush") &&
	    (flags & (O_WRONLY | O_CREAT)) == O_WRONLY) {
		note_flush();
		if (must_fail()) {
			errno = flush_error;
			return -1;
		}
	}
	for (int i = 0; i < NDEVICE; i++)
		if (devices[i].content && !strcmp(path, devices[i].path)) {
			if (++opens == failing_open) {
				errno = EMFILE;
				return -1;
			}
			path = devices[i].content;
		}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

SUPPORT_INTERPOSE int fstat(int fd, struct stat *st)
{
	int ret = fstatat(fd, "", st, AT_EMPTY_PATH);

	for (int i = 0; ret == 0 && i < NDEVICE; i++)
		if (devices[i].content && st->st_ino == devices[i].file.st_ino &&
		    st->st_dev == devices[i].file.st_dev) {
			st->st_mode = S_IFCHR | 0600;
			st->st_rdev = devices[i].number;
		}
	return ret;
}

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	if (counts_msync) {
		note_flush();
		if (!must_fail())
			return (int)syscall(SYS_msync, addr, len, flags);
	}
	errno = counts_msync ? EIO : EINVAL;
	return -1;
}

static void arm(unsigned at)
{
	memset(flushes, 0, sizeof(flushes));
	failing_flush = at;
	goes_on_failing = false;
	opens = 0;
	failing_open = 0;
	atomic_store(&map_sync_requests, 0);
	atomic_store(&map_sync_failing, 0);
}

/* What is on a device at first, behind the page that a header takes. */
static int fill_of(int i)
{
	return 0xaa + i;
}

static void make_device(int i, const char *parent, const char *align)
{
	struct device *d = &devices[i];
	unsigned char *bytes = malloc(SIZE);
	char path[256];
	char dir[128];
	char link[64];
	struct stat st;

	assert_non_null(bytes);
	assert_int_equal(stat(d->path, &st), 0);
	d->number = st.st_rdev;
	snprintf(dir, sizeof(dir), "%s/dax3.%d", parent, i);
	snprintf(path, sizeof(path), "%s/size", dir);
	fake_sysfs_file(path, "20971520\n");
	snprintf(path, sizeof(path), "%s/align", dir);
	fake_sysfs_file(path, align);
	snprintf(path, sizeof(path), "%s/subsystem", dir);
	fake_sysfs_link(path, "bus/dax");
	snprintf(link, sizeof(link), "dev/char/%u:%u", major(d->number),
		 minor(d->number));
	snprintf(path, sizeof(path), "../../%s", dir);
	fake_sysfs_parents(link);
	assert_int_equal(symlink(path, fake_sysfs_path(link)), 0);

	memset(bytes, fill_of(i), SIZE);
	memset(bytes, 0, PAGE);
	snprintf(path, sizeof(path), "device%d", i);
	d->content = support_path(false, path);
	support_write_file(d->content, bytes, SIZE);
	assert_int_equal(stat(d->content, &d->file), 0);
	free(bytes);
}

/* A machine with devices of that alignment; those of the region need deep flushes. */
static void make_machine(int ndevice, const char *parent, const char *align)
{
	fake_sysfs_begin();
	fake_sysfs_dir("bus/dax/devices");
	fake_sysfs_file(REGION "/deep_flush", "1\n");
	fake_sysfs_link("bus/nd/devices/region3", REGION);
	for (int i = 0; i < NDEVICE; i++)
		devices[i].content = NULL;
	for (int i = 0; i < ndevice; i++)
		make_device(i, parent, align);
	header = devices[0].content;
	counts_msync = false;
	arm(0);
}

/* A set of all devices of the machine. */
static const char *make_set(const char *option)
{
	const char *path = support_path(false, "set");
	char text[256];
	size_t n = (size_t)snprintf(text, sizeof(text), "PMEMPOOLSET\n%s", option);

	for (int i = 0; i < NDEVICE && devices[i].content; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "AUTO %s\n",
				      devices[i].path);
	support_write_file(path, text, strlen(text));
	return path;
}

static PMEMblkpool *must(PMEMblkpool *p)
{
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

static void assert_filled(const unsigned char *bytes, size_t from, size_t to, int fill)
{
	assert_int_equal(bytes[from], fill);
	assert_memory_equal(bytes + from, bytes + from + 1, to - from - 1);
}

/* The device is zero up to its byte number `zeros`, and as it was made from there on. */
static void assert_content(int i, size_t zeros)
{
	size_t len;
	unsigned char *bytes = support_read_file(devices[i].content, &len);

	assert_int_equal(len, SIZE);
	assert_filled(bytes, 0, zeros, 0);
	assert_filled(bytes, zeros, SIZE, fill_of(i));
	free(bytes);
}

/* --- the shutdown state ----------------------------------------------------------------- */

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
	arm(0);
	pmemblk_close(must(pmemblk_open(devices[0].path, 512)));
}

/* As users who may write the device alone. */
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

/* --- failed creates ----------------------------------------------------------------------- */

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
	/* Not only by the caches: once more all the way down, when the header is gone. */
	assert_string_equal(flushes, "10");
	/* When that fails, too, the message still tells of the first failure. */
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
	/* The second device bears no header here. */
	make_machine(2, REGION, "4096\n");
	arm(1);
	assert_null(pmemblk_create(make_set("OPTION SINGLEHDR\n"), 512, 0, 0600));
	assert_content(0, START);
	assert_content(1, PAGE);
}

/* Each mapping of the devices fails in turn, those for the headers of the later ones, too. */
static void only_devices_that_it_wrote_to_are_cleared(void **state)
{
	/* creates that had stored the second header, but not the third */
	unsigned ncleared = 0;
	unsigned at;

	(void)state;
#ifdef MAP_SYNC_UNUSABLE
	skip();
#endif
	for (at = 1; at < 100; at++) {
		PMEMblkpool *p;
		unsigned char byte;
		bool is_cleared;

		make_machine(3, REGION, "4096\n");
		atomic_store(&map_sync_failing, at);
		errno = 0;
		p = pmemblk_create(make_set(""), 512, 0, 0600);
		if (p) {
			pmemblk_close(p);
			break;
		}
		assert_int_equal(errno, ENOMEM);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mark_is_flushed_deeply_and_what_it_vouches_for_before_it),
	    cmocka_unit_test(blocks_are_flushed_deeply_on_every_device_of_a_set),
	    cmocka_unit_test(a_pool_is_used_where_deep_flushes_are_not_allowed),
	    cmocka_unit_test(a_device_without_a_region_has_nothing_to_flush),
	    cmocka_unit_test(a_pool_that_keeps_no_state_flushes_none),
	    cmocka_unit_test(a_pool_is_not_opened_when_its_mark_cannot_be_flushed),
	    cmocka_unit_test(a_pool_whose_blocks_cannot_be_flushed_stays_marked_as_open),
	    cmocka_unit_test(a_mark_in_a_file_goes_through_msync),
	    cmocka_unit_test(a_failed_create_leaves_nothing_of_a_pool),
	    cmocka_unit_test(it_leaves_nothing_on_any_device_that_it_wrote_to),
	    cmocka_unit_test(only_devices_that_it_wrote_to_are_cleared),
	    cmocka_unit_test(a_create_that_fails_before_it_stores_changes_nothing),
	    cmocka_unit_test(a_device_that_holds_a_pool_keeps_it),
	};

	/* Also on a CPU that cannot make anything durable. */
	struct engine_flush durable = *engine.flush_backend;

	durable.durable = true;
	engine.flush_backend = &durable;
	unsetenv("PMEM_IS_PMEM_FORCE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
