/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The backup of a repair: a text file with every byte that the repair changes, before and
 * after, from which it can be taken back. The same for a pool that grows (grow/grow.h).
 *
 *	pmemblk backup 2		3 for a pool that grows
 *	pool OLD-UUID NEW-UUID
 *	length OLD NEW			of the file; of a set, of the pool image
 *	area OFFSET LENGTH SUM		version 3: one line for each
 *	note TEXT			one line for each finding, what the repair has printed
 *	...
 *	OFFSET OLD PHASE:NEW ...	one line for each range
 *	...
 *	end COUNT CHECKSUM		ranges, and the sum of all bytes before this line
 *
 * Offsets, lengths, phases and counts are decimal, everything else is hexadecimal. A range names
 * what it holds after each phase of the repair that changes it, in order: a repair that was
 * interrupted leaves each of its 4-byte words with one of these values. The checksum is FNV-1a
 * of 64 bits.
 *
 * A grow's areas are what it has written behind the old end and where the new metadata stand. They
 * are taken back by cutting the file off, or by the ranges; the sum (backup_sum_page()) tells
 * whether the pool has been used since.
 *
 * Version 1 had one uuid (the new one), one length (the old one, rounded down to pages), lines
 * OFFSET OLD NEW, and no checksum. It is still read, see repair/undo.h.
 *
 * Functions return 0 or -errno and have set the message.
 */
#ifndef BACKUP_H
#define BACKUP_H 1

#include "repair/plan.h"

#define BACKUP_HEADLINE "pmemblk backup 2\n"
#define BACKUP_HEADLINE_3 "pmemblk backup 3\n"
#define BACKUP_HEADLINE_1 "pmemblk backup 1\n"
#define BACKUP_SUM_START UINT64_C(0xcbf29ce484222325)

/*
 * Writes the plan's changes to a new file, durably; the files of the image are as they were
 * before the repair. file NULL: the first of PATH.undo, PATH.undo.1, ... that does not exist.
 * *name receives its name, to be freed.
 */
int backup_write(const struct plan *plan, const struct image *image, const char *file,
		 char **name) MUST_CHECK;

/* Adds len bytes to a checksum that began with BACKUP_SUM_START. Pure. */
uint64_t backup_sum(uint64_t sum, const void *bytes, size_t len);

/*
 * The sum of an area is that of its pages in order. Those of zeros leave it as it is; any other
 * counts with its offset in the pool.
 */
uint64_t backup_sum_page(uint64_t sum, uint64_t off, const void *page);

#endif
