/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a child of fork(2) must not keep. While a call has the files of a set open, a child that
 * another thread forks gets their descriptors, and a mapping that belongs to no pool yet. It
 * knows nothing of them, and would keep the files locked until its end. So a handler closes and
 * unmaps in the child what was in the middle.
 */
#ifndef POOLSET_FORK_H
#define POOLSET_FORK_H 1

#include "poolset/poolset.h"

/* Registers the fork handlers. Called once, by pool_setup(). */
void poolset_fork_setup(void);

/* Between the two, no fork happens: around each change of what the handler goes by. */
void poolset_fork_hold(void);
void poolset_fork_release(void);

/* The set's files are going to be opened, or are closed. While forks are held. */
void poolset_fork_enter_held(struct poolset *set);
void poolset_fork_leave_held(struct poolset *set);

#endif
