/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FILE_HOLES_H
#define FILE_HOLES_H 1

#include <stdint.h>

/*
 * Where a file has holes, so that space allocated in vain can be given back: noted before
 * file_allocate(), punched again by file_holes_restore() unless something else than zeros is
 * there by then. The file has to be locked, and not mapped. Files with more holes keep what the
 * later ones got; one whose space is all there counts as one without holes. Neither sets a
 * message.
 */
#define FILE_HOLES 16

struct file_holes {
	unsigned n;
	struct {
		int64_t off;
		int64_t end;
	} hole[FILE_HOLES];
};

void file_holes_note(struct file_holes *holes, int fd);
void file_holes_restore(const struct file_holes *holes, int fd);

#endif
