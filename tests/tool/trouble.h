/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls of a program that are killed or fail: syncs and changes of a file's length (KILL, FAIL), or
 * allocations of space (FULL), each from the n-th call on.
 */
#ifndef TROUBLE_H
#define TROUBLE_H 1

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum trouble { KILL, FAIL, FULL };

static enum trouble trouble;
/* number of the call that fails, and all later ones; 0: none */
static unsigned trouble_at;
static unsigned ncall; /* so far */
/* called after the n-th sync of a mapping from now; 0: none */
static unsigned lose_at;
static void (*lose)(void);

/* Counts syncs and changes of the file's length, and tells whether this one fails. */
static bool is_failing(void)
{
	if (trouble == FULL || trouble_at == 0 || ++ncall < trouble_at)
		return false;
	if (trouble == KILL)
		raise(SIGKILL);
	errno = EIO;
	return true;
}

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	int ret = is_failing() ? -1 : (int)syscall(SYS_msync, addr, len, flags);

	if (lose_at && --lose_at == 0)
		lose();
	return ret;
}

SUPPORT_INTERPOSE int fsync(int fd)
{
	return is_failing() ? -1 : (int)syscall(SYS_fsync, fd);
}

SUPPORT_INTERPOSE int fdatasync(int fd)
{
	return is_failing() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

SUPPORT_INTERPOSE int ftruncate(int fd, off_t len)
{
	return is_failing() ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

SUPPORT_INTERPOSE int posix_fallocate(int fd, off_t off, off_t len)
{
	if (trouble == FULL && trouble_at && ++ncall >= trouble_at)
		return ENOSPC;
	return syscall(SYS_fallocate, fd, 0, off, len) == 0 ? 0 : errno;
}

#endif
