/* SPDX-License-Identifier: BSD-3-Clause */
/* The conditions that errno.csv names: how to bring each about, in a folder of the row's own. */
#ifndef CONDITIONS_H
#define CONDITIONS_H 1

#include <stdbool.h>
#include <stddef.h>

#define CONDITIONS_POOL_SIZE ((size_t)20 << 20)

/* What the setup of a condition hands to the call. */
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

/* What brings a condition of this call about; NULL: there is no such condition. */
conditions_setup *conditions_find(const char *call, const char *text);

/* Make the row's folder, which processes without privileges can reach, and remove it. */
void conditions_enter(unsigned row);
void conditions_leave(void);

extern char *conditions_dir;

/* "<folder of the row>/<name>", for a while. */
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

/* Of several calls. */
conditions_setup conditions_make_pool;
conditions_setup conditions_fifo;
conditions_setup conditions_null_device;
conditions_setup conditions_under_a_file;

#endif
