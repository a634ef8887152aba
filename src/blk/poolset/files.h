/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds, makes, locks and measures the files of a pool set.
 *
 * A file is locked with flock(2) through its open file description. A mapping that was made
 * through the descriptor keeps the description open, and with it the lock. So descriptors are
 * closed as soon as the pool is mapped, and unmapping releases the lock.
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
	POOLSET_MEND,  /* for writing if possible, else for reading only */
};

/*
 * Opens and locks all parts and checks their lengths. On failure it closes all that it has
 * opened. A part that was opened for reading only has read_only set. If a file is locked and
 * set->wait is patient, it fails with -EAGAIN and sets no message, see poolset/wait.h.
 */
int poolset_files_open(struct poolset *set, enum poolset_access access) MUST_CHECK;

/*
 * After POOLSET_MEND: fails if a part could be opened for reading only, with the error of
 * open(2).
 */
int poolset_files_check_writable(const struct poolset *set) MUST_CHECK;

/*
 * Opens the parts that exist, as poolset_files_open() does. Absent parts stay closed, and get the
 * length that they are to have. *all_new: whether no part existed.
 */
int poolset_files_open_existing(struct poolset *set, bool *all_new) MUST_CHECK;

/*
 * Makes the parts that poolset_files_open_existing() found absent: locked, with mode 0 and all
 * space allocated. On failure the files made so far are still there, see
 * poolset_files_remove_created().
 */
int poolset_files_make(struct poolset *set) MUST_CHECK;

/*
 * Records the holes of the parts that existed, before anything is stored to them or allocated for
 * them.
 */
int poolset_files_note_holes(struct poolset *set) MUST_CHECK;

/* Allocates the space of the parts that existed. */
int poolset_files_allocate_existing(const struct poolset *set) MUST_CHECK;

/* Gives the created parts their final mode, durably. */
int poolset_files_chmod(const struct poolset *set, mode_t mode) MUST_CHECK;

/*
 * Frees the space of the recorded holes where they hold only zeros. The files have to be locked
 * still, and must not be mapped.
 */
void poolset_files_restore_holes(const struct poolset *set);

void poolset_files_remove_created(struct poolset *set);

/*
 * Close the files. After the first one a mapping keeps the lock; the second one releases the
 * lock, even if a child has copies of the descriptors.
 */
void poolset_files_close(struct poolset *set);
void poolset_files_unlock_and_close(struct poolset *set);

/* The size of the pool image in bytes, from the lengths of the parts. */
uint64_t poolset_files_image_size(const struct poolset *set);

#endif
