/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To be preloaded.
 *
 * INTERRUPT_SIGNAL, INTERRUPT_CALL, INTERRUPT_COUNT: the process sends itself the signal when
 * it calls the function for the COUNT-th time, before that call does anything. INTERRUPT_RENAME,
 * INTERRUPT_TO: a file gets this other name just before.
 *
 * COUNT_MSYNC: a file that receives the number of calls of msync, each of which takes a
 * millisecond longer, as it does on a disk.
 *
 * FAKE_CLOCK: the monotonic clock goes on by so many nanoseconds with each look at it, and at no
 * other time.
 *
 * FAIL_MSYNC: all calls of msync fail with EIO from that one on, counted from 1.
 *
 * FAIL_FSYNC: all calls of fsync fail with this errno; FAIL_FOLDER_FSYNC: those of folders.
 *
 * FAIL_UNLINK: all calls of unlink fail with this errno.
 *
 * FAIL_SYNCFS: all calls of syncfs fail with this errno.
 *
 * COUNT_FOLDER_SYNC: a file that gets a line for each call of fsync for a folder, or of syncfs: the path.
 *
 * BUSY_READ: the first so many reads of the standard input find nothing: it does not block, and
 * somebody else was faster.
 *
 * NONBLOCKING_OUTPUT: the standard output does not block.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

__attribute__((constructor)) static void begin(void)
{
	if (getenv("NONBLOCKING_OUTPUT"))
		fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
}

static atomic_int nmsync;

static void count_msync(const char *name)
{
	const struct timespec pause = {0, 1000000};

	if (!getenv("COUNT_MSYNC") || strcmp(name, "msync") != 0)
		return;
	atomic_fetch_add(&nmsync, 1);
	nanosleep(&pause, NULL);
}

__attribute__((destructor)) static void write_count(void)
{
	const char *name = getenv("COUNT_MSYNC");
	FILE *f = name ? fopen(name, "we") : NULL;

	if (!f)
		return;
	fprintf(f, "%d\n", atomic_load(&nmsync));
	fclose(f);
}

static int is_folder(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static void note_folder_sync(const char *name, int fd)
{
	const char *notes = getenv("COUNT_FOLDER_SYNC");
	char link[64];
	char path[4096];
	FILE *f = notes ? fopen(notes, "ae") : NULL;
	ssize_t n;

	if (!f)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	fprintf(f, "%s %.*s\n", name, n < 0 ? 0 : (int)n, path);
	fclose(f);
}

/* The errno in this variable, or 0. */
static int error_in(const char *variable)
{
	const char *error = getenv(variable);

	return error ? atoi(error) : 0;
}

/* The errno of a call that is to fail, or 0. */
static int failure_of(const char *name)
{
	static atomic_int n;
	const char *first = getenv("FAIL_MSYNC");

	if (strcmp(name, "unlink") == 0)
		return error_in("FAIL_UNLINK");
	return first && strcmp(name, "msync") == 0 &&
		       atomic_fetch_add(&n, 1) + 1 >= atoi(first)
		   ? EIO
		   : 0;
}

static void called(const char *name)
{
	static atomic_int n;
	const char *wanted = getenv("INTERRUPT_CALL");

	count_msync(name);
	if (wanted && strcmp(wanted, name) == 0 &&
	    atomic_fetch_add(&n, 1) + 1 == atoi(getenv("INTERRUPT_COUNT"))) {
		const char *from = getenv("INTERRUPT_RENAME");

		if (from && rename(from, getenv("INTERRUPT_TO")) != 0)
			abort();
		kill(getpid(), atoi(getenv("INTERRUPT_SIGNAL")));
	}
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	static atomic_ullong looks;
	const char *step = getenv("FAKE_CLOCK");
	unsigned long long now;

	if (!step || id != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, id, t);
	now = (atomic_fetch_add(&looks, 1) + 1) * strtoull(step, NULL, 10);
	*t = (struct timespec){(time_t)(now / 1000000000), (long)(now % 1000000000)};
	return 0;
}

ssize_t read(int fd, void *buf, size_t len)
{
	static atomic_int n;
	const char *busy = getenv("BUSY_READ");

	if (busy && fd == STDIN_FILENO && atomic_fetch_add(&n, 1) < atoi(busy)) {
		errno = EAGAIN;
		return -1;
	}
	return syscall(SYS_read, fd, buf, len);
}

int fsync(int fd)
{
	int error = error_in("FAIL_FSYNC");

	called("fsync");
	if (is_folder(fd)) {
		note_folder_sync("fsync", fd);
		if (!error)
			error = error_in("FAIL_FOLDER_FSYNC");
	}
	errno = error;
	return error ? -1 : (int)syscall(SYS_fsync, fd);
}

int syncfs(int fd)
{
	int error = error_in("FAIL_SYNCFS");

	note_folder_sync("syncfs", fd);
	errno = error;
	return error ? -1 : (int)syscall(SYS_syncfs, fd);
}

#define INTERPOSE(type, name, parameters, arguments)                                     \
	type name parameters;                                                            \
	type name parameters                                                             \
	{                                                                                \
		type(*next) parameters = (type(*) parameters)dlsym(RTLD_NEXT, #name);    \
		int error;                                                               \
                                                                                         \
		called(#name);                                                           \
		error = failure_of(#name);                                               \
		if (error) {                                                             \
			errno = error;                                                   \
			return -1;                                                       \
		}                                                                        \
		return next arguments;                                                   \
	}

INTERPOSE(int, posix_fallocate, (int fd, off_t off, off_t len), (fd, off, len))
INTERPOSE(int, fchmod, (int fd, mode_t mode), (fd, mode))
INTERPOSE(int, msync, (void *addr, size_t len, int flags), (addr, len, flags))
INTERPOSE(ssize_t, write, (int fd, const void *buf, size_t len), (fd, buf, len))
INTERPOSE(int, flock, (int fd, int operation), (fd, operation))
INTERPOSE(int, unlink, (const char *name), (name))
INTERPOSE(int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))
