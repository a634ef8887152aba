/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FILE_HOLES_H
#define FILE_HOLES_H 1

#include <stdint.h>

#include "compiler.h"

/*
 * The holes of a file, so that space that a failed create has taken can be freed again.
 * file_holes_note() records the holes before that; -ENOMEM. file_holes_restore() punches them
 * again, unless they hold something else than zeros by then. The file has to be locked and must
 * not be mapped. Of a file with more than FILE_HOLES holes, the later ones stay allocated. Space
 * that was allocated before, but never written, is no hole, if the file system knows FIEMAP. None
 * of the functions sets a message.
 */
#define FILE_HOLES (1u << 20)

struct file_hole {
	int64_t off;
	int64_t end;
};

/* All zero at first; freed by file_holes_free(). */
struct file_holes {
	unsigned n;
	unsigned room;
	struct file_hole *hole;
};

int file_holes_note(struct file_holes *holes, int fd) MUST_CHECK;
void file_holes_restore(const struct file_holes *holes, int fd);
void file_holes_free(struct file_holes *holes);

#endif
