/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cases of two claims on one data block.
 *
 * The pool is laid out and was never written: block i has data block i, slot n has data block E +
 * n, where E is the number of blocks. Each case writes through slots as the library would, then
 * damages something, repairs it, and checks which block and which slot has which data block.
 */
#ifndef CLAIMS_FIXTURE_H
#define CLAIMS_FIXTURE_H 1

#include "support.h"

#include <libpmemblk.h>

#include "pool_file.h"
#include "run_tool.h"

#define BSIZE 4096u
#define NORMAL(b) (BTT_MAP_NORMAL | (b))

static struct pool_file fresh; /* laid out */
static struct pool_file now;   /* the pool of the case: first damaged, then repaired */
static uint32_t E;

static inline int make_fresh(void **state)
{
	static const char zero[BSIZE];
	const char *path = support_path(true, "fresh");
	PMEMblkpool *pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL, 0600);

	(void)state;
	if (!pool || pmemblk_write(pool, zero, 0) != 0)
		return -1;
	pmemblk_close(pool);
	fresh.p = support_read_file(path, &fresh.len);
	if (btt_geometry_arena(fresh.len - ARENA, BSIZE, &fresh.geo) != 0)
		return -1;
	E = fresh.geo.external_nlba;
	put32(&fresh, map_off(&fresh, 0), 0);
	for (unsigned n = 0; n < BTT_NFREE; n++)
		btt_flog_encode_pristine(n, E, (void *)(fresh.p + slot_off(&fresh, n)));
	return 0;
}

static inline int free_fresh(void **state)
{
	(void)state;
	free(fresh.p);
	free(tool_said);
	return 0;
}

static inline int begin(void **state)
{
	(void)state;
	now = clone_file(&fresh);
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	free(now.p);
	return 0;
}

static inline int current(unsigned n)
{
	struct btt_flog_record r[2];

	get_slot(&now, n, r);
	return btt_flog_find_current(r[0].seq, r[1].seq);
}

static inline void set_entry(uint32_t lba, uint32_t entry)
{
	put32(&now, map_off(&now, lba), entry);
}

static inline uint32_t free_block(unsigned n)
{
	return btt_map_postmap(get32(&now, record_off(&now, n, current(n)) + 4));
}

/* A write of the block through slot n, complete. */
static inline void write_block(unsigned n, uint32_t lba)
{
	int cur = current(n);
	struct btt_flog_record r = {
	    .premap = lba,
	    .old_map = get_entry(&now, lba),
	    .new_map = NORMAL(free_block(n)),
	    .seq = btt_flog_next_seq(get32(&now, record_off(&now, n, cur) + 12)),
	};

	put_record(&now, n, cur ^ 1, &r);
	set_entry(lba, r.new_map);
}

/* The next write has begun to prepare the other record, so that it confirms nothing. */
static inline void spoil_other_record(unsigned n)
{
	uint64_t at = record_off(&now, n, current(n) ^ 1);

	put32(&now, at, 99);
	put32(&now, at + 4, NORMAL(99));
}

static inline bool is_named(uint32_t lba)
{
	char text[32];
	const char *p;

	snprintf(text, sizeof(text), "block %u: ", lba);
	p = strstr(tool_said, text);
	return p && (p == tool_said || p[-1] == '\n');
}

static inline unsigned count_named(void)
{
	unsigned n = 0;

	for (const char *p = tool_said; (p = strstr(p, "block ")) != NULL; p++)
		if ((p == tool_said || p[-1] == '\n') && p[6] >= '0' && p[6] <= '9')
			n++;
	return n;
}

/* The output must hold these lines. */
static inline void PRINTF_LIKE(1, 2) assert_said(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!strstr(tool_said, text))
		fail_msg("not said: %s\n%s", text, tool_said);
}

/* The output must say how many blocks have gone into the error state. */
static inline void assert_lost(const struct pool_file *before,
			       const struct pool_file *after)
{
	const char *text = "blocks in the error state until they are written: ";
	const char *p = strstr(tool_said, text);
	unsigned n = 0;

	for (uint32_t i = 0; i < E; i++)
		n += !btt_map_is_error(get_entry(before, i)) &&
		     btt_map_is_error(get_entry(after, i));
	if ((p ? strtoul(p + strlen(text), NULL, 10) : 0) != n)
		fail_msg("%u blocks went into the error state:\n%s", n, tool_said);
}

/* Repairs the pool; the output must name so many blocks. Then undoes the repair. */
static inline void repair(unsigned nnamed)
{
	const char *path = support_path(true, "claims");
	const char *undo = support_path(true, "claims.undo");
	struct pool_file damaged = now;

	unlink(undo);
	store_file(path, &damaged);
	assert_int_not_equal(pmemblk_check(path, 0), 1);
	assert_int_equal(tool_run(cmd_repair, "-nv", path, NULL), 1);
	assert_int_equal(count_named(), nnamed);
	assert_int_equal(tool_run(cmd_repair, "-v", path, NULL), 0);
	if (count_named() != nnamed)
		fail_msg("%u blocks named instead of %u:\n%s", count_named(), nnamed,
			 tool_said);
	assert_int_equal(pmemblk_check(path, 0), 1);
	now = load_file(path, &fresh);
	assert_lost(&damaged, &now);
	{
		char *said = tool_said;

		tool_said = NULL;
		assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
		assert_true(is_file(path, &damaged));
		free(tool_said);
		tool_said = said;
	}
	free(damaged.p);
}

static inline void assert_entry(uint32_t lba, uint32_t entry)
{
	if (get_entry(&now, lba) != entry)
		fail_msg("block %u: %#x instead of %#x", lba, get_entry(&now, lba),
			 entry);
}

static inline void assert_error(uint32_t lba)
{
	assert_true(btt_map_is_error(get_entry(&now, lba)));
	assert_true(is_named(lba));
}

/* Its entry must be in the error state and own data block b. */
static inline void assert_error_with(uint32_t lba, uint32_t b)
{
	assert_error(lba);
	assert_entry(lba, BTT_MAP_ERROR | b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

#endif
