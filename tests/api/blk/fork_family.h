/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests with a child that owns a pool, and a child of it. */
#ifndef FORK_FAMILY_H
#define FORK_FAMILY_H 1

#include "fork_fixture.h"

#include <fcntl.h>
#include <sys/shm.h>
#include <sys/syscall.h>

/* A kernel without System V shared memory. */
static bool no_segments;

SUPPORT_INTERPOSE int shmget(key_t key, size_t size, int flags)
{
	if (no_segments) {
		errno = ENOSYS;
		return -1;
	}
	return (int)syscall(SYS_shmget, key, size, flags);
}

/* Starts a child that owns a new pool and has a child itself. The two run the functions. */
struct family {
	PMEMblkpool *pool;
	struct turns turns; /* between the child's child and the test */
	int owner_is_there[2];
};

static inline pid_t start_family(struct family *f, void (*owner)(struct family *),
				 void (*child)(struct family *))
{
	pid_t pid;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	start_turns(&f->turns);
	assert_int_equal(pipe2(f->owner_is_there, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		f->pool = create();
		EXPECT(byteblock_put(f->pool, 0, 1) == 0);
		if (fork() == 0) {
			alarm(30);
			close(f->owner_is_there[1]);
			child(f);
			_exit(0);
		}
		owner(f);
		_exit(0);
	}
	close(f->owner_is_there[1]);
	return pid;
}

/* Waits until the kernel has closed the owner's descriptors. */
static inline void await_end_of_owner(struct family *f)
{
	char c;

	EXPECT(read(f->owner_is_there[0], &c, 1) == 0);
}

/*
 * Tries until the owner is gone: the kernel may close its descriptors before it frees its memory.
 */
static inline void put_soon(PMEMblkpool *p)
{
	while (byteblock_put(p, 0, 7) != 0)
		EXPECT(errno == EBUSY);
}

static inline void close_all_but(int keep)
{
	for (int fd = 3; fd < 100; fd++)
		if (fd != keep)
			close(fd);
}

static inline void end_on_demand(struct family *f)
{
	close_all_but(f->turns.to_child[0]);
	(void)await(f->turns.to_child[0]);
}

#endif
