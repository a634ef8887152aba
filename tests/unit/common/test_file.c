/* SPDX-License-Identifier: BSD-3-Clause */
/* What paths name, and allocation that goes on after interruptions. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "compiler.h"
#include "errormsg.h"
#include "fake_sysfs.h"
#include "file.h"
#include "ram_file.h"
#include "support.h"

/* --- an interposed posix_fallocate --------------------------------------------------- */

static struct {
	int err;
	unsigned failures;
	int err_then;	 /* of all calls after the failures; 0: they succeed */
	unsigned period; /* so many failures before each further success */
	unsigned calls;
	uint64_t reached;  /* the end of the allocated bytes that have no hole */
	uint64_t smallest; /* length of the shortest request */
} fallocate_model;

/* What a variable that nobody sets holds in the next call. */
static NOINLINE void fill_stack(void)
{
	volatile unsigned char deep[8192];

	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = 0xff;
}

int posix_fallocate(int fd, off_t off, off_t len)
{
	(void)fd;
	fill_stack();
	fallocate_model.calls++;
	if ((uint64_t)len < fallocate_model.smallest)
		fallocate_model.smallest = (uint64_t)len;
	if (fallocate_model.failures) {
		fallocate_model.failures--;
		return fallocate_model.err;
	}
	if (fallocate_model.err_then)
		return fallocate_model.err_then;
	fallocate_model.failures = fallocate_model.period;
	assert_true((uint64_t)off <= fallocate_model.reached);
	if ((uint64_t)(off + len) > fallocate_model.reached)
		fallocate_model.reached = (uint64_t)(off + len);
	return 0;
}

/* --- an interposed fstatfs ------------------------------------------------------------ */

static unsigned long file_system; /* of all files; 0: as it is */
static bool has_limit;
static long block_size; /* of all files; 0: as it is; less: none is known */

int fstatfs(int fd, struct statfs *fs)
{
	if (syscall(SYS_fstatfs, fd, fs) != 0)
		return -1;
	if (file_system) {
		fs->f_type = (__typeof__(fs->f_type))file_system;
		fs->f_blocks = has_limit ? 100 : 0;
	}
	if (block_size)
		fs->f_bsize = block_size > 0 ? block_size : 0;
	return 0;
}

/* --- interposed reads and writes ------------------------------------------------------ */

static unsigned interrupted_reads;
static unsigned interrupted_writes;
static bool writes_nothing;
static unsigned char touched[128]; /* for each KiB whether it was read at its begin */

SUPPORT_INTERPOSE ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	if (interrupted_reads) {
		interrupted_reads--;
		errno = EINTR;
		return -1;
	}
	if (off % 1024 == 0 && off / 1024 < (off_t)sizeof(touched))
		touched[off / 1024] = 1;
	return syscall(SYS_pread64, fd, buf, len, off);
}

SUPPORT_INTERPOSE ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	if (interrupted_writes) {
		interrupted_writes--;
		errno = EINTR;
		return -1;
	}
	return writes_nothing ? 0 : syscall(SYS_pwrite64, fd, buf, len, off);
}

/* --- an interposed sigtimedwait ------------------------------------------------------- */

static bool waits_for_signals;

SUPPORT_INTERPOSE int sigtimedwait(const sigset_t *set, siginfo_t *info,
				   const struct timespec *timeout)
{
	if (!timeout || timeout->tv_sec != 0 || timeout->tv_nsec != 0)
		waits_for_signals = true;
	return (int)syscall(SYS_rt_sigtimedwait, set, info, timeout, 8);
}

/* -------------------------------------------------------------------------------------- */

static void model_failures(int err, unsigned failures)
{
	memset(&fallocate_model, 0, sizeof(fallocate_model));
	fallocate_model.err = err;
	fallocate_model.failures = failures;
	fallocate_model.smallest = UINT64_MAX;
}

static void allocation_is_one_request_if_it_works(void **state)
{
	(void)state;
	model_failures(0, 0);
	assert_int_equal(file_allocate(3, 5ull << 30), 0);
	assert_int_equal(fallocate_model.calls, 1);
	assert_int_equal(fallocate_model.reached, 5ull << 30);
}

static void interrupted_allocation_goes_on_in_pieces(void **state)
{
	const uint64_t len = (5ull << 30) + 12345;

	(void)state;
	model_failures(EINTR, 1);
	assert_int_equal(file_allocate(3, len), 0);
	assert_int_equal(fallocate_model.calls, 1 + 6);
	assert_int_equal(fallocate_model.reached, len);
	/* Five failures in a row halve the piece. */
	model_failures(ENOMEM, 1 + 5);
	assert_int_equal(file_allocate(3, len), 0);
	assert_int_equal(fallocate_model.calls, 1 + 5 + 11);
	assert_int_equal(fallocate_model.reached, len);
}

static void allocation_gives_up_at_last_and_at_once_for_other_errors(void **state)
{
	(void)state;
	model_failures(EINTR, UINT32_MAX);
	assert_int_equal(file_allocate(3, 3ull << 30), -EINTR);
	assert_int_equal(fallocate_model.calls, 1 + 5 * 11);
	assert_int_equal(fallocate_model.smallest, 1u << 20);
	model_failures(ENOSPC, UINT32_MAX);
	assert_int_equal(file_allocate(3, 3ull << 30), -ENOSPC);
	assert_int_equal(fallocate_model.calls, 1);
}

static void a_disk_that_becomes_full_after_an_interruption_is_reported(void **state)
{
	(void)state;
	model_failures(EINTR, 1);
	fallocate_model.err_then = ENOSPC;
	assert_int_equal(file_allocate(3, 3ull << 30), -ENOSPC);
	assert_int_equal(fallocate_model.calls, 2);
}

/* As in a program with a timer: what counts is how often one piece fails. */
static void failures_do_not_add_up_over_the_pieces(void **state)
{
	(void)state;
	model_failures(EINTR, 1 + 4);
	fallocate_model.period = 4;
	assert_int_equal(file_allocate(3, 20ull << 30), 0);
	assert_int_equal(fallocate_model.calls, 1 + 20 * 5);
	assert_int_equal(fallocate_model.reached, 20ull << 30);
	assert_int_equal(fallocate_model.smallest, 1u << 30);
}

/* Nothing but the look at the memory keeps it from filling the machine's. */
static void what_memory_cannot_hold_is_not_begun(void **state)
{
	static const struct {
		unsigned long file_system;
		bool has_limit;
		bool refuses;
		bool is_too_long; /* to be opened */
	} rows[] = {
	    {0x858458f6, false, true, true},   /* ramfs */
	    {0x01021994, false, true, false},  /* tmpfs, size=0 */
	    {0x01021994, true, false, false},  /* tmpfs */
	    {0x0000ef53, true, false, false},  /* ext4 */
	    {0x0000ef53, false, false, false}, /* says nothing */
	};
	int fd = memfd_create("memory", MFD_CLOEXEC);

	(void)state;
	fake_sysfs_begin(); /* without the limits that this process may have */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		file_system = rows[i].file_system;
		has_limit = rows[i].has_limit;
		model_failures(0, 0);
		assert_int_equal(file_allocate(fd, 1ull << 50),
				 rows[i].refuses ? -ENOSPC : 0);
		assert_int_equal(fallocate_model.calls, !rows[i].refuses);
		model_failures(0, 0);
		assert_int_equal(file_allocate(fd, 1u << 20), 0);
		assert_int_equal(fallocate_model.calls, 1);
		assert_int_equal(ram_file_check_length(fd, 1ull << 50),
				 rows[i].is_too_long ? -EFBIG : 0);
		assert_int_equal(ram_file_check_length(fd, 1u << 20), 0);
	}
	assert_non_null(strstr(errormsg_get(), "ramfs"));
	file_system = 0;
	sysfs_root = "/sys";
	close(fd);
}

static void where_files_cannot_be_allocated_blocks_are_touched(void **state)
{
	const size_t old = 3 * 4096 + 5;
	const size_t len = 20 * 4096 + 17;
	int fd = memfd_create("allocate", MFD_CLOEXEC);
	const int errs[] = {EOPNOTSUPP, ENOSYS, ENOSYS, ENOSYS, ENOSYS};
	/* What a file system calls its block size may be larger than its blocks. */
	const long block_sizes[] = {0, 0, 1024, 1 << 20, -1};
	struct stat st;

	(void)state;
	alarm(60);
	for (size_t i = 0; i < ARRAY_SIZE(errs); i++) {
		unsigned char bytes[20 * 4096 + 17];

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(ftruncate(fd, (off_t)old), 0);
		assert_int_equal(pwrite(fd, "data", 4, 4096), 4);
		assert_int_equal(pwrite(fd, "end", 3, (off_t)old - 3), 3);
		model_failures(errs[i], UINT32_MAX);
		block_size = block_sizes[i];
		interrupted_reads = interrupted_writes = 3;
		memset(touched, 0, sizeof(touched));
		assert_int_equal(file_allocate(fd, len), 0);
		for (size_t at = 0; at < len; at += 1024)
			assert_int_equal(touched[at / 1024],
					 block_size == 1024 || at % 4096 == 0);
		assert_int_equal(interrupted_reads + interrupted_writes, 0);
		assert_int_equal(fallocate_model.calls, 1);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, len);
		assert_true((uint64_t)st.st_blocks * 512 >= len);
		assert_int_equal(pread(fd, bytes, len, 0), len);
		for (size_t at = 0; at < len; at++) {
			unsigned char want = 0;

			if (at >= 4096 && at < 4100)
				want = (unsigned char)"data"[at - 4096];
			else if (at >= old - 3 && at < old)
				want = (unsigned char)"end"[at - (old - 3)];
			assert_int_equal(bytes[at], want);
		}
	}
	alarm(0);
	block_size = 0;
	/* A longer file keeps its length. */
	assert_int_equal(file_allocate(fd, 4096), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, len);
	/* Of the last block only one byte belongs to the file. */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, 4096 + 1), 0);
	assert_int_equal(file_allocate(fd, 4096 + 1), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks * 512, 2 * 4096);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(file_allocate(fd, 8192), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 8192);
	writes_nothing = true;
	assert_int_equal(file_allocate(fd, 4096), -ENOSPC);
	writes_nothing = false;
	close(fd);
	assert_int_equal(file_allocate(fd, 4096), -EBADF);
}

/* --- the rest ------------------------------------------------------------------------ */

static void every_kind_of_file_is_recognised(void **state)
{
	const char *dir = support_tmpdir(false);
	const char *file = support_path(false, "file");
	const char *fifo = support_path(false, "fifo");
	const char *link = support_path(false, "link");
	const char *dangling = support_path(false, "dangling");
	const char *loop = support_path(false, "loop");
	const char *sock = support_path(false, "socket");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char long_name[5000];
	enum file_type type;

	(void)state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	support_write_file(file, "x", 1);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(symlink(file, link), 0);
	assert_int_equal(symlink("nowhere", dangling), 0);
	assert_int_equal(symlink("loop", loop), 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", sock);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);

	const struct {
		const char *path;
		int ret;
		enum file_type type;
	} rows[] = {
	    {file, 0, FILE_REGULAR},
	    {link, 0, FILE_REGULAR},
	    {dir, 0, FILE_DIRECTORY},
	    {support_path(false, "none"), 0, FILE_ABSENT},
	    {dangling, 0, FILE_ABSENT},
	    {"", 0, FILE_ABSENT},
	    {fifo, -EINVAL, 0},
	    {sock, -EINVAL, 0},
	    {"/dev/null", -EINVAL, 0},
	    {"/dev/zero", -EINVAL, 0},
	    {loop, -ELOOP, 0},
	    {support_path(false, "file/x"), -ENOTDIR, 0},
	    {long_name, -ENAMETOOLONG, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		errormsg_set("-");
		assert_int_equal(file_classify(rows[i].path, &type), rows[i].ret);
		if (rows[i].ret == 0)
			assert_int_equal(type, rows[i].type);
		assert_int_equal(strcmp(errormsg_get(), "-") == 0, rows[i].ret == 0);
	}
}

static void only_the_file_that_was_made_is_removed(void **state)
{
	const char *made = support_path(false, "made");
	const char *to_made = support_path(false, "to_made");
	const char *other = support_path(false, "other");
	int fd = open(made, O_RDWR | O_CREAT | O_EXCL, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(symlink(made, to_made), 0);
	assert_int_equal(file_remove_made(to_made, fd), 0);
	assert_int_equal(faccessat(AT_FDCWD, made, F_OK, 0), -1);
	assert_int_equal(file_remove_made(made, fd), -ENOENT); /* it is removed already */
	/* Another process has put another file there. */
	support_write_file(other, "x", 1);
	assert_int_equal(rename(other, made), 0);
	assert_int_equal(file_remove_made(made, fd), -ENOENT);
	assert_int_equal(file_remove_made(to_made, fd), -ENOENT);
	assert_int_equal(faccessat(AT_FDCWD, made, F_OK, 0), 0);
	assert_int_equal(unlink(made), 0);
	close(fd);
}

static void the_file_size_limit_is_known_before(void **state)
{
	uint64_t before;

	(void)state;
	assert_int_equal(file_check_size_limit(INT64_MAX), 0);
	assert_int_equal(file_check_size_limit((uint64_t)INT64_MAX + 1), -EFBIG);
	before = support_limit_file_size(1000);
	assert_int_equal(file_check_size_limit(1000), 0);
	assert_int_equal(file_check_size_limit(1001), -EFBIG);
	support_limit_file_size(before);
}

static void other_signals_of_the_program_stay_pending(void **state)
{
	int fd = memfd_create("limit", MFD_CLOEXEC);
	sigset_t before;
	sigset_t set;
	uint64_t old;

	(void)state;
	old = support_limit_file_size(4096);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
	raise(SIGUSR1);
	for (uint64_t len = 0; len <= 8192; len += 4096) {
		fill_stack();
		assert_int_equal(file_set_length(fd, len), len > 4096 ? -EFBIG : 0);
		model_failures(EINTR, 1);
		assert_int_equal(file_allocate(fd, 4096), 0);
		sigpending(&set);
		assert_int_equal(sigismember(&set, SIGUSR1), 1);
		pthread_sigmask(SIG_BLOCK, NULL, &set);
		assert_int_equal(sigismember(&set, SIGUSR1), 1);
		assert_int_equal(sigismember(&set, SIGUSR2), 0);
	}
	signal(SIGUSR1, SIG_IGN); /* discards it */
	signal(SIGUSR1, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	assert_false(waits_for_signals);
	support_limit_file_size(old);
	close(fd);
}

/* The process would end by a signal, or lose one that somebody else has sent. */
static void calls_beyond_the_file_size_limit_fail_without_a_signal(void **state)
{
	int fd = memfd_create("limit", MFD_CLOEXEC);
	sigset_t before;
	sigset_t set;
	uint64_t old;

	(void)state;
	assert_int_equal(ftruncate(fd, 20 * 4096), 0);
	old = support_limit_file_size(2 * 4096);
	signal(SIGXFSZ, SIG_DFL);
	for (int is_pending = 0; is_pending < 2; is_pending++) {
		sigemptyset(&set);
		sigaddset(&set, SIGXFSZ);
		assert_int_equal(
		    pthread_sigmask(SIG_BLOCK, is_pending ? &set : NULL, &before), 0);
		if (is_pending)
			raise(SIGXFSZ);
		model_failures(EOPNOTSUPP, UINT32_MAX);
		assert_int_equal(file_allocate(fd, 20 * 4096), -EFBIG);
		assert_int_equal(file_set_length(fd, 21 * 4096), -EFBIG);
		assert_int_equal(file_set_length(fd, 20 * 4096), 0);
		sigpending(&set);
		assert_int_equal(sigismember(&set, SIGXFSZ), is_pending);
		pthread_sigmask(SIG_BLOCK, NULL, &set);
		assert_int_equal(sigismember(&set, SIGXFSZ), is_pending);
	}
	signal(SIGXFSZ, SIG_IGN); /* discards it */
	signal(SIGXFSZ, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	support_limit_file_size(old);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(allocation_is_one_request_if_it_works),
	    cmocka_unit_test(interrupted_allocation_goes_on_in_pieces),
	    cmocka_unit_test(allocation_gives_up_at_last_and_at_once_for_other_errors),
	    cmocka_unit_test(a_disk_that_becomes_full_after_an_interruption_is_reported),
	    cmocka_unit_test(failures_do_not_add_up_over_the_pieces),
	    cmocka_unit_test(what_memory_cannot_hold_is_not_begun),
	    cmocka_unit_test(where_files_cannot_be_allocated_blocks_are_touched),
	    cmocka_unit_test(every_kind_of_file_is_recognised),
	    cmocka_unit_test(only_the_file_that_was_made_is_removed),
	    cmocka_unit_test(the_file_size_limit_is_known_before),
	    cmocka_unit_test(other_signals_of_the_program_stay_pending),
	    cmocka_unit_test(calls_beyond_the_file_size_limit_fail_without_a_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
