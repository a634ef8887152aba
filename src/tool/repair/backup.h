/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The backup of a repair, or of a pool that grows (grow/grow.h): a text file with every byte that
 * is changed, before and after. The changes can be taken back with it.
 *
 *	pmemblk backup 2		3 for a pool that grows
 *	pool OLD-UUID NEW-UUID
 *	length OLD NEW			of the file; of a set, of the pool image
 *	area OFFSET LENGTH SUM		version 3: one line for each
 *	note TEXT			one line for each finding that the repair has printed
 *	...
 *	OFFSET OLD PHASE:NEW ...	one line for each range
 *	...
 *	end COUNT CHECKSUM		the number of ranges, and the sum of all bytes before
 *
 * Offsets, lengths, phases and counts are decimal, everything else is hexadecimal. The line of a
 * range has what it holds after each phase that changes it, in the order of the phases. So an
 * interrupted repair leaves each of its 4-byte words with one of these values. The checksum is
 * FNV-1a of 64 bits.
 *
 * The areas of a grow are what it stores behind the old end of the file, where the new metadata
 * are, and map and flog of the arenas that stay. An area's sum (backup_sum_page()) tells whether the
 * pool has been used since. An undo takes areas back by cutting the file off, or by the ranges.
 *
 * Version 1 had one uuid (the new one), one length (the old one, rounded down to pages), lines
 * OFFSET OLD NEW, and no checksum. An undo still reads it.
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
 * Writes the plan's changes to a new file, durably. The image's files must still be unchanged.
 * file NULL: the first of PATH.undo, PATH.undo.1, ... that does not exist. *name receives the
 * name of the file, which the caller has to free.
 */
int backup_write(const struct plan *plan, const struct image *image, const char *file,
		 char **name) MUST_CHECK;

/* Adds len bytes to a checksum that began with BACKUP_SUM_START. Pure. */
uint64_t backup_sum(uint64_t sum, const void *bytes, size_t len);

/*
 * Adds a page to the sum of an area, which is that of its pages in order. A page of zeros does
 * not change the sum; any other page is added with its offset in the pool.
 */
uint64_t backup_sum_page(uint64_t sum, uint64_t off, const void *page);

/* The sum of the area [off, end) of whole pages of a storage. */
uint64_t backup_sum_area(struct storage *s, uint64_t off, uint64_t end);

#endif
