/* SPDX-License-Identifier: BSD-3-Clause */
/* A pool with damage of each kind, and the backup that its repair writes. */
#ifndef UNDO_FIXTURE_H
#define UNDO_FIXTURE_H 1

#include "support.h"

#include <libpmemblk.h>

#include "damages.h"
#include "pool_file.h"
#include "run_tool.h"

#define BSIZE 4096u

static struct pool_file base;
static const char *path;
static const char *undo;

static inline int make_base(void **state)
{
	char block[BSIZE] = "x";
	PMEMblkpool *pool;

	(void)state;
	path = support_path(true, "pool");
	undo = support_path(true, "pool.undo");
	pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL + 8192, 0600);
	if (!pool)
		return -1;
	for (long long lba = 0; lba < 300; lba += 3)
		if (pmemblk_write(pool, block, lba % 150) != 0)
			return -1;
	pmemblk_close(pool);
	base.p = support_read_file(path, &base.len);
	return btt_geometry_arena(base.len - ARENA, BSIZE, &base.geo);
}

static inline int free_base(void **state)
{
	(void)state;
	free(base.p);
	free(tool_said);
	return 0;
}

/* A pool with damage for each phase of the repair. */
static struct pool_file damage_all(void)
{
	struct pool_file f = clone_file(&base);

	put32(&f, map_off(&f, 30), 0xffffffff);
	put32(&f, map_off(&f, 33), get_entry(&f, 36));
	put32(&f, record_off(&f, 1, 0) + 12, 2);
	put32(&f, record_off(&f, 1, 1) + 12, 2);
	f.p[ARENA + 40] ^= 1;
	f.p[40] ^= 1;
	unlink(undo);
	store_file(path, &f);
	return f;
}

static inline char *read_text(const char *name)
{
	size_t len;
	char *bytes = (char *)support_read_file(name, &len);
	char *text = calloc(1, len + 1);

	assert_non_null(text);
	memcpy(text, bytes, len);
	free(bytes);
	return text;
}

static inline void assert_refused(const char *backup, const struct pool_file *pool)
{
	if (tool_run(cmd_repair, "-u", backup, path, NULL) != 3)
		fail_msg("not refused: %s", tool_said);
	assert_true(is_file(path, pool));
}

#endif
