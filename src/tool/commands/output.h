/* SPDX-License-Identifier: BSD-3-Clause */
/* The target of an export: a new file, an existing one, a device, a pipe, an open descriptor. */
#ifndef OUTPUT_H
#define OUTPUT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "commands/interrupt.h"
#include "compiler.h"

struct poolset;

/* The files of a pool, which must not be overwritten. */
struct output_source {
	const char *path; /* of the pool */
	size_t n;
	struct stat *file; /* path, and the parts */
	mode_t mode;	   /* the permissions that all parts have */
	mode_t others;	   /* the bits of others in mode that all groups have as well */
	gid_t gid;	   /* the group of the first part */
	bool is_one_group; /* all parts have this group */
};

/*
 * Finds the files of the pool at path. set: that of a pool that is open, else NULL. Complains and
 * returns false on failure: without one of the files, the copy might be more readable than the
 * pool, or overwrite it.
 */
bool output_source_init(struct output_source *source, const char *path,
			const struct poolset *set) MUST_CHECK;
/* Whether st is one of these files, under any name, or a loop device on one. */
bool output_source_has(const struct output_source *source, const struct stat *st);
void output_source_fini(struct output_source *source);

struct output {
	const char *name;
	int fd;
	bool is_given;	 /* a descriptor that was open already; its file is not emptied */
	bool is_new;	 /* made by us: removed if the export fails */
	bool has_holes;	 /* zeros need not be written */
	uint64_t length; /* bytes so far */
	struct interrupt_file file;
};

/*
 * Opens a file for the copy of a pool; "-" is the standard output. An existing regular file is
 * refused unless force is true. Complains and returns false on failure.
 */
bool output_open(struct output *out, const char *name, bool force,
		 const struct output_source *source);

/* Complains and returns false on failure. */
bool output_put(struct output *out, const char *buf, size_t len);

/*
 * If ok is true, makes the copy durable (not in pipes and the like). If ok is false, or if that
 * fails, removes a file that was made. Returns whether everything succeeded.
 */
bool output_finish(struct output *out, bool ok);

#endif
