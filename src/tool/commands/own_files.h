/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of a pool: a copy must not overwrite them, and must not be more readable. */
#ifndef OWN_FILES_H
#define OWN_FILES_H 1

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "compiler.h"

/* The attribute of a file that is an access control list. */
#define OWN_FILES_ACL "system.posix_acl_access"

struct poolset;

/* The files of a pool, which must not be overwritten. */
struct own_files {
	const char *path; /* of the pool */
	size_t n;
	struct stat *file; /* path, and the parts */
	mode_t mode;	   /* the permissions that all parts have */
	mode_t others;	   /* the bits of others in mode that all groups have as well */
	gid_t gid;	   /* the group of the first part */
	bool is_one_group; /* all parts have this group */
};

/*
 * Finds the files of the pool at path, which this process has open: while it was waiting for the
 * pool, other files may have come, or other permissions. set: its set; NULL if only the library has
 * it. Complains and returns false on failure: without one of the files, the copy might be more
 * readable than the pool, or overwrite it.
 */
bool own_files_init(struct own_files *files, const char *path,
		    const struct poolset *set) MUST_CHECK;
void own_files_fini(struct own_files *files);

/* Whether st is one of these files, under any name. */
bool own_files_has(const struct own_files *files, const struct stat *st);

enum own_files_answer {
	OWN_FILES_NO,
	OWN_FILES_YES,
	OWN_FILES_UNKNOWN, /* a loop device whose file is not known; errno tells why */
};

/* The same for a file that fd has open; it may also be a loop device on one of these files. */
enum own_files_answer own_files_look(const struct own_files *files, int fd,
				     const struct stat *st) MUST_CHECK;

/* Says that name is refused because the answer is not OWN_FILES_NO. */
void own_files_complain(const struct own_files *files, enum own_files_answer answer,
			const char *name);

#endif
