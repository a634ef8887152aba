/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of base/fork_memory.h: what the kernel does, and children. The linker puts functions that
 * check their order in place of those of the lock.
 */
#ifndef FORK_MEMORY_FIXTURE_H
#define FORK_MEMORY_FIXTURE_H 1

#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fork_memory.h"
#include "fork_lock.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static int wipe_error; /* with which the kernel refuses to clear pages; 0: it does not */

SUPPORT_INTERPOSE int madvise(void *addr, size_t len, int advice)
{
	if (wipe_error && advice == MADV_WIPEONFORK) {
		errno = wipe_error;
		return -1;
	}
	return (int)syscall(SYS_madvise, addr, len, advice);
}

/* While this is set, mappings are made there, in ascending order. */
static char *place;
static atomic_long nprivate; /* private mappings of a page */

static inline bool is_private_page(size_t len, int flags)
{
	return flags & MAP_PRIVATE && len == (size_t)sysconf(_SC_PAGESIZE);
}

SUPPORT_INTERPOSE void *mmap(void *addr, size_t len, int prot, int flags, int fd,
			     off_t off)
{
	if (is_private_page(len, flags))
		atomic_fetch_add(&nprivate, 1);
	if (place) {
		addr = place;
		flags |= MAP_FIXED;
		place += len;
	}
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
}

SUPPORT_INTERPOSE int munmap(void *addr, size_t len)
{
	if (is_private_page(len, MAP_PRIVATE))
		atomic_fetch_sub(&nprivate, 1);
	return (int)syscall(SYS_munmap, addr, len);
}

/* Room for mappings in ascending order. */
static inline char *reserve(void)
{
	char *at = mmap(NULL, (size_t)1 << 24, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(at != MAP_FAILED);
	return at;
}

static _Thread_local int nheld; /* locks that the thread has */

void __real_fork_lock_acquire(struct fork_lock *l);
void __real_fork_lock_release(struct fork_lock *l);
void __wrap_fork_lock_acquire(struct fork_lock *l);
void __wrap_fork_lock_release(struct fork_lock *l);

void __wrap_fork_lock_acquire(struct fork_lock *l)
{
	__real_fork_lock_acquire(l);
	nheld++;
}

void __wrap_fork_lock_release(struct fork_lock *l)
{
	if (nheld-- != 1) {
		puts("a lock is released that the thread does not hold");
		abort();
	}
	__real_fork_lock_release(l);
}

/* A child that the C library knows of, or not. */
static inline pid_t make_child(bool by_clone)
{
	pid_t pid = by_clone ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)
			     : fork();

	assert_true(pid >= 0);
	if (pid == 0)
		alarm(30);
	return pid;
}

static inline void assert_ends_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#endif
