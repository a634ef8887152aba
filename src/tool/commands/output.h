/* SPDX-License-Identifier: BSD-3-Clause */
/* Where an export goes: a new file, an old one, a device, a pipe, an open descriptor. */
#ifndef OUTPUT_H
#define OUTPUT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "commands/interrupt.h"

/* The files of a pool, so that none of them is overwritten. */
struct output_source {
	const char *path; /* of the pool */
	size_t n;
	struct stat *file; /* the set file and the parts; path alone if it is no set */
	mode_t mode;	   /* who may read and write all of the parts */
	mode_t others;	   /* the bits of others in mode that the groups have as well */
	gid_t gid;	   /* of the first part */
	bool is_one_group; /* all parts have that */
};

/* Looks at the files of the pool at path; those that cannot be found are left out. */
void output_source_init(struct output_source *source, const char *path);
/* Whether it is one of them, by whatever name, or a loop device on one. */
bool output_source_has(const struct output_source *source, const struct stat *st);
void output_source_fini(struct output_source *source);

struct output {
	const char *name;
	int fd;
	bool is_given;	 /* a descriptor that was open; what it leads to is not emptied */
	bool is_new;	 /* made by us: removed if the export fails */
	bool has_holes;	 /* zeros need not be written */
	uint64_t length; /* bytes so far */
	struct interrupt_file file;
};

/*
 * Opens a file for the copy of a pool; "-" is the standard output. A regular file that
 * exists is refused unless force is true. False, complained about, on failure.
 */
bool output_open(struct output *out, const char *name, bool force,
		 const struct output_source *source);

/* False, complained about, on failure. */
bool output_put(struct output *out, const char *buf, size_t len);

/*
 * Makes the copy durable, but for pipes and the like, if ok is true; else, or if that fails,
 * a file that was made is removed. Returns whether all is well.
 */
bool output_finish(struct output *out, bool ok);

#endif
