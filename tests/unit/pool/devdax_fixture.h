/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools on device DAX without the hardware: an imitation of sysfs describes some character
 * devices as device DAX of one NVDIMM region. Opening such a device gives an ordinary file with
 * the contents of the device. msync(2) refuses this file as it does a device.
 *
 * The fixture records each deep flush, together with the mark in the pool's header at that
 * moment: open or closed.
 */
#ifndef DEVDAX_FIXTURE_H
#define DEVDAX_FIXTURE_H 1

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
#define START ((size_t)2 << 20) /* the bytes of a device that a failed create clears */
#define PAGE ((size_t)4096)
#define NDEVICE 3
#define REGION "devices/LNXSYSTM:00/ndbus0/region3"
#define HMEM "devices/platform/hmem.0"

static struct device {
	const char *path;    /* of the character device */
	const char *content; /* path of the file that stands for the device */
	dev_t number;
	struct stat file; /* of that file */
} devices[NDEVICE] = {
    {.path = "/dev/zero"}, {.path = "/dev/full"}, {.path = "/dev/null"}};

static unsigned opens;	       /* of devices */
static unsigned failing_open;  /* the one that fails, from 1; 0: none */
static unsigned nfstat;	       /* calls of fstat() for devices */
static unsigned failing_fstat; /* as failing_open */

static const char *header;     /* the file whose mark is noted */
static char flushes[64];       /* the mark at each deep flush, '0' or '1' */
static unsigned failing_flush; /* as failing_open */
static bool goes_on_failing;   /* and all that come after it */
static int flush_error = EIO;
static bool counts_msync; /* msync is the deep flush here, and works */

static inline void note_flush(void)
{
	unsigned char mark;
	size_t n = strlen(flushes);

	image_read(header, IMAGE_SDS + 16, &mark, 1);
	assert_true(n + 1 < sizeof(flushes));
	flushes[n] = (char)('0' + mark);
}

static inline bool must_fail(void)
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
			if (++nfstat == failing_fstat) {
				errno = EIO;
				ret = -1;
			}
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

static inline void arm(unsigned at)
{
	memset(flushes, 0, sizeof(flushes));
	failing_flush = at;
	goes_on_failing = false;
	opens = 0;
	failing_open = 0;
	nfstat = 0;
	failing_fstat = 0;
	atomic_store(&map_sync_requests, 0);
	atomic_store(&map_sync_failing, 0);
}

/* The initial content of a device, behind the page of the header. */
static inline int fill_of(int i)
{
	return 0xaa + i;
}

static inline void make_device(int i, const char *parent, const char *align)
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

/* Makes a machine whose devices have this alignment; those of the region need deep flushes. */
static inline void make_machine(int ndevice, const char *parent, const char *align)
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

/* Makes a set of all devices of the machine. */
static inline const char *make_set(const char *option)
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

static inline PMEMblkpool *must(PMEMblkpool *p)
{
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

static inline void assert_filled(const unsigned char *bytes, size_t from, size_t to,
				 int fill)
{
	assert_int_equal(bytes[from], fill);
	assert_memory_equal(bytes + from, bytes + from + 1, to - from - 1);
}

/* The first `zeros` bytes of the device must be zero, and the others as at first. */
static inline void assert_content(int i, size_t zeros)
{
	size_t len;
	unsigned char *bytes = support_read_file(devices[i].content, &len);

	assert_int_equal(len, SIZE);
	assert_filled(bytes, 0, zeros, 0);
	assert_filled(bytes, zeros, SIZE, fill_of(i));
	free(bytes);
}

/* Mappings of devices, and reserved addresses, of which a sanitizer has some, too. */
static inline unsigned count_mappings(void)
{
	return support_count_mappings("/device") +
	       (SUPPORT_SANITIZED ? 0 : support_count_mappings(" ---p 00000000 00:00 0"));
}

/* Runs the cases, also on a CPU that cannot make anything durable. */
static inline int run_on_durable(const char *group, const struct CMUnitTest *tests,
				 size_t n)
{
	static struct engine_flush durable;

	durable = *engine.flush_backend;
	durable.durable = true;
	engine.flush_backend = &durable;
	unsetenv("PMEM_IS_PMEM_FORCE");
	return _cmocka_run_group_tests(group, tests, n, NULL, NULL);
}

#endif
