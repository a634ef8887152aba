/* SPDX-License-Identifier: BSD-3-Clause */
/* The target of an export: a new file, an existing one, a device, a pipe, an open descriptor. */
#ifndef OUTPUT_H
#define OUTPUT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "commands/own_files.h"

struct output {
	const char *name; /* for messages */
	int fd;		  /* -1: not open */
	bool is_given; /* a descriptor that was open already; its file is not emptied */
	bool is_new;   /* made by us: emptied and removed if the export fails */
	bool is_overwritten; /* existed and was emptied: left empty if the export fails */
	bool is_held;	     /* signals are held: no part of a copy is left */
	bool has_holes;	     /* zeros need not be written */
	uint64_t length;     /* bytes so far */
};

/*
 * The target of a copy has this name; "-" is the standard output. Only looks whether that is an open
 * descriptor, which has to be done before other files are opened. Complains and returns false if the
 * name is that of a closed one. Otherwise output_finish() follows in the end.
 */
bool output_begin(struct output *out, const char *name) MUST_CHECK;

/*
 * Opens the file for the copy of a pool, whose files are source. An existing regular file is refused
 * unless force is true. Complains and returns false on failure.
 */
bool output_open(struct output *out, bool force,
		 const struct own_files *source) MUST_CHECK;

/* Complains and returns false on failure. */
bool output_put(struct output *out, const char *buf, size_t len);

/*
 * If ok is true, makes the copy durable (not in pipes and the like), and the name of a file that was
 * made. If ok is false, or if that fails, or if a signal has come, removes a file that was made, and
 * empties one that existed. Closes the file, if it is open. Returns whether everything succeeded.
 */
bool output_finish(struct output *out, bool ok);

#endif
