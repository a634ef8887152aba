/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files of a pool, in the order in which they form the pool image. A pool in a single
 * file is a set of one part.
 */
#ifndef POOLSET_H
#define POOLSET_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"
#include "file.h"
#include "poolset/file_holes.h"

struct poolset_wait;

struct poolset_part {
	char *path;
	/* length that the file must have, bytes; 0: any (AUTO in a set file) */
	uint64_t size;
	unsigned line; /* in the set file; 0: from no set file */

	/* Filled in while the files are open, see poolset/files.h. */
	int fd;		  /* -1: not open */
	int read_only;	  /* 0: open for writing, too; else the errno of that attempt */
	uint64_t length;  /* of the file, bytes */
	uint64_t align;	  /* mapping alignment of a device DAX, else 0 */
	uint64_t data_lo; /* [data_lo, data_hi) of the file is known to be no hole */
	uint64_t data_hi;
	struct file_holes holes; /* holes that this call may have filled */
	bool is_devdax;
	bool is_created; /* this call has made the file, and removes it if it fails */
	bool is_stored;	 /* this call has begun to write its header or descriptor */
};

struct poolset {
	char *path;   /* as the user gave it: the set file or the single pool file */
	bool is_file; /* path is a set file */
	bool singlehdr;
	bool nohdrs;
	unsigned nreplica; /* local and remote, the first one included */
	unsigned npart;
	struct poolset_part *part; /* of the first replica */

	struct poolset_wait *wait; /* see poolset/wait.h; NULL: the call does not wait */

	/* While files are open, see poolset/fork.h; else NULL. */
	struct poolset_fork *fork;
};

/* A set of one file; size as in struct poolset_part. -ENOMEM, message set. */
int poolset_single(const char *path, uint64_t size, struct poolset **out) MUST_CHECK;

/* Adds a part at the end. The set then owns path (base/alloc.h); on failure path is freed. */
int poolset_add_part(struct poolset *set, char *path, uint64_t size,
		     unsigned line) MUST_CHECK;

/* Frees the set, whose files have to be closed (poolset/files.h). set may be NULL. */
void poolset_free(struct poolset *set);

/*
 * Where part i of the pool image starts in its file, and how many bytes of a file of this length
 * belong to it.
 */
uint64_t poolset_part_skip(const struct poolset *set, unsigned i);
uint64_t poolset_part_used(const struct poolset *set, unsigned i, uint64_t length);

/* Whether part i has a header of its own. */
bool poolset_part_has_header(const struct poolset *set, unsigned i);

#endif
