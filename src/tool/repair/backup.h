/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The backup of a repair: a text file with every byte that the repair changes, before and
 * after, from which it can be taken back.
 *
 *	pmemblk backup 1
 *	pool UUID-IN-HEX
 *	length BYTES		of the pool image before
 *	OFFSET OLD NEW		one line for each range: decimal, hexadecimal, hexadecimal
 *	...
 *	end COUNT
 *
 * Functions return 0 or -errno and have set the message.
 */
#ifndef BACKUP_H
#define BACKUP_H 1

#include "repair/plan.h"

/*
 * Writes the plan's changes to a new file, durably. file NULL: the first of PATH.undo,
 * PATH.undo.1, ... that does not exist. *name receives its name, to be freed.
 */
int backup_write(const struct plan *plan, const struct image *image, uint64_t length,
		 const char *file, char **name) MUST_CHECK;

/*
 * Puts the old bytes of a backup back into the image's files. -EINVAL, and nothing is
 * changed, if the file is no complete backup, is another pool's, or if some range holds
 * neither its old nor its new bytes: the pool has been used since. *nrange: how many were
 * put back.
 */
int backup_undo(const char *file, struct image *image, size_t *nrange) MUST_CHECK;

#endif
