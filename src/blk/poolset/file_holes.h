/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FILE_HOLES_H
#define FILE_HOLES_H 1

#include <stdint.h>

/*
 * The holes of a file, so that space that a failed create has taken can be freed again.
 * file_holes_note() records the holes before that. file_holes_restore() punches them
 * again, unless they hold something else than zeros by then. The file has to be locked and must
 * not be mapped. Of a file with more than FILE_HOLES holes, the later ones stay allocated. Space
 * that was allocated before, but never written, is no hole, if the file system knows FIEMAP. Neither function sets a
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
