/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding, making, locking and measuring the files of a pool set.
 *
 * A file is locked by flock(2) through its open file description. The lock outlives the
 * descriptor as long as a mapping made through it, so descriptors are closed as soon as
 * the pool is mapped, and the lock is given up by unmapping.
 */
#ifndef POOLSET_FILES_H
#define POOLSET_FILES_H 1

#include <sys/types.h>

#include "poolset/poolset.h"

/*
 * A file that is only read is not opened for writing, because an overlay file system copies a
 * file when it is opened for writing. A device DAX is always opened for both.
 */
enum poolset_access {
	POOLSET_WRITE, /* for reading and writing */
	POOLSET_READ,  /* for reading only */
	POOLSET_MEND,  /* for writing where that is possible, else for reading only */
};

/*
 * Opens and locks all parts and checks their lengths. On failure whatever was opened is
 * closed again. A part that was opened for reading has read_only set. Where a file is locked,
 * and set->wait is patient, it fails with -EAGAIN and sets no message, see poolset/wait.h.
 */
int poolset_files_open(struct poolset *set, enum poolset_access access) MUST_CHECK;

/* After POOLSET_MEND: fails, as open(2) has failed, if any part could only be opened for reading. */
int poolset_files_check_writable(const struct poolset *set) MUST_CHECK;

/*
 * The same for those parts that exist; absent ones get the length that they are to have,
 * and stay closed. all_new: whether none existed.
 */
int poolset_files_open_existing(struct poolset *set, bool *all_new) MUST_CHECK;

/*
 * Makes the parts that poolset_files_open_existing() found absent: mode 0, all space
 * allocated, locked. On failure the files made so far are still there; see
 * poolset_files_remove_created().
 */
int poolset_files_make(struct poolset *set) MUST_CHECK;

/* Allocates the space of the parts that existed. */
int poolset_files_allocate_existing(struct poolset *set) MUST_CHECK;

/* Gives the created parts their final mode, durably. */
int poolset_files_chmod(const struct poolset *set, mode_t mode) MUST_CHECK;

/* Gives back what poolset_files_allocate_existing() took; the files are still locked. */
void poolset_files_restore_holes(const struct poolset *set);

void poolset_files_remove_created(struct poolset *set);

/* The mapping keeps the lock; the second gives it up, whoever has a copy of the descriptors. */
void poolset_files_close(struct poolset *set);
void poolset_files_unlock_and_close(struct poolset *set);

/* The size of the pool image in bytes, from the lengths of the parts. */
uint64_t poolset_files_image_size(const struct poolset *set);

#endif
