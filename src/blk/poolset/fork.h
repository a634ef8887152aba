/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files and mappings that a child of fork(2) must not keep. While a call has the files of a set
 * open, another thread may fork a child. The child gets the descriptors, and perhaps a mapping
 * that belongs to no pool yet. It does not know about them, and would keep the files locked until
 * its end. So a handler in the child closes and unmaps them.
 *
 * A fork does not wait for such a call, and a call does not wait for a fork (common/fork_lock.h).
 * Each call keeps a record of its files, and the handler uses the child's copy of the records.
 * The kernel copies the table of descriptors a little earlier than the memory, so the records may
 * differ from it. Therefore:
 *
 *   1. A file may be open although its record does not say so yet. The parent then writes the
 *      descriptor into memory that the child shares, and the child waits a short time for it.
 *   2. A file may be open in the child although the parent has closed it. So if a call ends while
 *      the process forks, its record stays until the fork is over.
 *   3. The descriptor of a record may not be open, or may be another file's. So the handler
 *      compares device and inode.
 *   4. A mapping is recorded before files are mapped there, and until children do not inherit it
 *      any more. Until after the unmapping would be too long: another thread may map something
 *      else there.
 *
 * A child that was not made by the C library's fork() runs no handler. It does the same when it
 * opens a pool.
 */
#ifndef POOLSET_FORK_H
#define POOLSET_FORK_H 1

#include <stddef.h>

#include "compiler.h"
#include "poolset/poolset.h"

/* Registers the fork handlers. Called once, by pool_setup(). */
void poolset_fork_setup(void);

/* To be called before the first file of the set is opened. -ENOMEM, message set. */
int poolset_fork_enter(struct poolset *set) MUST_CHECK;

/* Opens a part as open(2) does. A part must not be opened again after it was opened. */
int poolset_fork_open(const struct poolset *set, unsigned part, int flags);

/*
 * Records that the set's files are going to be mapped at base. base NULL: children do not inherit
 * the mapping, or it now belongs to a pool.
 */
void poolset_fork_note_mapping(const struct poolset *set, void *base, size_t size,
			       size_t unit);

/*
 * To be called when all files are closed. Also allowed if poolset_fork_enter() has failed, or was
 * not called.
 */
void poolset_fork_leave(struct poolset *set);

#endif
