/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a child of fork(2) must not keep. While a call has the files of a set open, a child that
 * another thread forks gets their descriptors, and a mapping that belongs to no pool yet. It
 * knows nothing of them, and would keep the files locked until its end. So a handler closes and
 * unmaps in the child what was in the middle.
 *
 * No fork waits for such a call, nor a call for a fork (common/fork_lock.h). The handler goes by
 * records that each call keeps, and that the child has a copy of. They may be older or newer than
 * the table of descriptors, which the kernel copies a little earlier:
 *
 * - A file was opened, and the record does not say so yet. Its number follows in memory that the
 *   child shares; the child waits for it, but not for long.
 * - A file was closed, and the child still has it. So the records of a call that ends while the
 *   process forks remain until that is over.
 * - The descriptor of a record is not there, or is another file's. It is told by device and inode.
 * - A mapping is recorded before files are mapped there, and until after they are not.
 *
 * A child that is made without the C library's fork() does the same when it opens a pool.
 */
#ifndef POOLSET_FORK_H
#define POOLSET_FORK_H 1

#include <stddef.h>

#include "compiler.h"
#include "poolset/poolset.h"

/* Registers the fork handlers. Called once, by pool_setup(). */
void poolset_fork_setup(void);

/* Before the first file of the set is opened. -ENOMEM, message set. */
int poolset_fork_enter(struct poolset *set) MUST_CHECK;

/* As open(2) with the path of a part; one that was opened is not opened again. */
int poolset_fork_open(const struct poolset *set, unsigned part, int flags);

/* The set's files are going to be mapped there; base NULL: or are no longer, or for a pool. */
void poolset_fork_note_mapping(const struct poolset *set, void *base, size_t size,
			       size_t unit);

/* When all files were closed; also after poolset_fork_enter() failed, or was not called. */
void poolset_fork_leave(struct poolset *set);

#endif
