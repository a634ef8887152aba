/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes back a repair, or the growth of a pool, with the backup that it has left
 * (repair/backup.h).
 *
 * The repair, or an earlier undo, may have been interrupted anywhere. So each 4-byte word of the
 * ranges may hold its value from before the repair or from after any phase. These values tell
 * which phase was reached. The undo goes back phase by phase from there, so that it passes
 * through the same states as the repair, and a power loss in it does no more harm than one in the
 * repair.
 *
 *   1. Nothing is stored before everything was examined: the checksum of the backup, the length
 *      of the file, the pool's uuid, and every word of every range.
 *   2. A word that already holds the right value is stored again. An earlier sync may have
 *      failed, and it may be in memory only.
 *   3. The file gets its length back at the end.
 *   4. Afterwards the files are read again and compared.
 *   5. The growth of a pool is not taken back if the pool was used since. A write to it changes
 *      the map or the flog of an arena, and the backup has their sums. They are compared if the new
 *      metadata may have been in use: the info block is not the old one. Then they were complete,
 *      and an undo has not changed them yet. A locked header proves nothing: it may have been
 *      unlocked in memory, and the pool used, and then the power failed.
 *   6. The copy of the info block behind the old length is cleared while the pool is locked. If it
 *      were there when the pool is unlocked, and the power failed before the file is cut off, a
 *      damaged info block would be restored from it one day.
 *   7. A grow that has reached its lock is taken back from its last phase on. So the pool is
 *      locked before anything else is put back.
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
	size_t data; /* index in undo.data of the first value; the others follow */
	unsigned char phase[PLAN_NPHASE + 1];
	/* the file is too short: it was not extended yet, or is cut off again */
	bool absent;
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
	int reached; /* the last phase of which some word shows an effect; -1: none */
};

/*
 * Reads a backup and examines the pool. -EINVAL: the file is not a regular file, or not a sound
 * backup; or it belongs to another pool; or the pool was changed since. *undo has to be freed
 * with undo_free(), also after a failure.
 */
int undo_load(const char *file, struct image *image, struct undo *undo) MUST_CHECK;
void undo_free(struct undo *undo);

/*
 * Stores the old bytes to a storage that is as the files are. They are durable if it returns 0.
 */
int undo_store(const struct undo *undo, struct storage *s) MUST_CHECK;

/* What an undo has taken back. */
struct undo_done {
	size_t nrange; /* in the backup */
	bool is_grow;  /* else a repair */
};

/*
 * Does the whole undo on the image's open files, durably. Afterwards the image is as the files
 * are. -EIO also if the files do not hold what was put back.
 */
int undo_repair(const char *file, struct image *image, struct undo_done *done) MUST_CHECK;

/*
 * The same for the caller that has just made the changes and still holds the pool: nobody can
 * have used it.
 */
int undo_take_back(const char *file, struct image *image,
		   struct undo_done *done) MUST_CHECK;

#endif
