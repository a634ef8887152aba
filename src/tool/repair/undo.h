/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking a repair back, with the backup that it has left (repair/backup.h).
 *
 * The repair, or an earlier undo, may have been interrupted anywhere. So each 4-byte word of
 * the ranges may hold what it held before or after any phase. From this follows the phase that
 * was reached. The undo goes back phase by phase, so that it passes through the same states as
 * the repair, and a power loss in it does no more harm than one in the repair.
 *
 *   1. Nothing is stored before everything was examined: the checksum of the backup, the length
 *      of the file, the pool's uuid, and every word of every range.
 *   2. A word that already holds what it should is stored again, because an earlier sync may
 *      have failed and may have left it in memory only.
 *   3. The file gets its length back at the end.
 *   4. When all is done the files are read again and compared.
 *   5. A pool that has grown, and has been used since, is not taken back: whoever writes to it
 *      changes the new map or the new flog, of which the backup has the sums. They count if the
 *      pool may have been opened with them: unless its header is locked, or the info block is
 *      the old one.
 *   6. A grow is taken back from its last phase on, so that the pool is locked again before
 *      anything else is put back.
 *
 * Functions return 0 or -errno and have set the message.
 */
#ifndef UNDO_H
#define UNDO_H 1

#include "image/image.h"
#include "repair/plan.h"

/* What a range holds: values[0] before the repair, values[k] after phase[k]. */
struct undo_range {
	uint64_t off;
	uint32_t len;
	uint32_t nvalue;
	size_t data; /* where in undo.data the first value is; the others follow */
	unsigned char phase[PLAN_NPHASE + 1];
	bool absent; /* the file was shortened already, or not yet extended */
};

struct undo {
	const char *file;
	unsigned version;
	unsigned char uuid[2][UUID_SIZE]; /* before, after */
	uint64_t length[2];		  /* before, after */
	struct undo_range *range;
	size_t nrange;
	struct plan_area *area; /* of a grow */
	size_t narea;
	unsigned char *data;
	size_t ndata;
	size_t room;
	bool locked; /* some word of the header is as a grow's lock has it */
	int reached; /* the last phase of which some word shows an effect; -1: none */
};

/*
 * Reads a backup and examines the pool. -EINVAL: the file is no regular file, no backup or a
 * damaged one, it belongs to another pool, or the pool was changed since. *undo is to be given
 * to undo_free(), also after a failure.
 */
int undo_load(const char *file, struct image *image, struct undo *undo) MUST_CHECK;
void undo_free(struct undo *undo);

/* The stores of the undo to a storage that is as the files are. Durable when it returns 0. */
int undo_store(const struct undo *undo, struct storage *s) MUST_CHECK;

/*
 * All of it, on the image's open files, durably; the image is what they are then. *nrange: how
 * many ranges the backup has. -EIO also where the files do not hold what was put back.
 */
int undo_repair(const char *file, struct image *image, size_t *nrange) MUST_CHECK;

/* The same for who has just stored what the backup tells, and still holds the pool. */
int undo_take_back(const char *file, struct image *image, size_t *nrange) MUST_CHECK;

#endif
