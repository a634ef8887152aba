/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The conditions that errno.csv names, and how to produce each. Each row has a folder of its own.
 */
#ifndef CONDITIONS_H
#define CONDITIONS_H 1

#include <stdbool.h>
#include <stddef.h>

#define CONDITIONS_POOL_SIZE ((size_t)20 << 20)

/* The arguments that the setup of a condition gives to the call. */
struct conditions_env {
	const char *path;
	size_t bsize;
	size_t poolsize;
	long long blockno;
	bool as_nobody;
	bool keep_open; /* the pool is open during the call */
	int fallocate_err;
};

typedef void conditions_setup(struct conditions_env *env);

/* Returns the setup for a condition of this call; NULL: there is no such condition. */
conditions_setup *conditions_find(const char *call, const char *text);

/* Make and remove the folder of the row. Processes without privileges can use it. */
void conditions_enter(unsigned row);
void conditions_leave(void);

extern char *conditions_dir;

/* "<folder of the row>/<name>"; later calls overwrite it. */
const char *conditions_path(const char *name);

/* --- between the files that make the conditions ----------------------------------------------- */

struct condition {
	const char *text;
	conditions_setup *setup;
};

/* Lists that end with NULL. */
extern const struct condition conditions_of_create[];
extern const struct condition conditions_of_open[];
extern const struct condition conditions_of_blocks[];

/* Setups that several calls share. */
conditions_setup conditions_make_pool;
conditions_setup conditions_fifo;
conditions_setup conditions_null_device;
conditions_setup conditions_under_a_file;

#endif
