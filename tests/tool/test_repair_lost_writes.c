/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools of which a sector of the flog, or of the map, fell back to what it was some writes ago: the
 * disk has lost writes. What each data block holds is known, because the writes are made here. A
 * repair gives a block another block's data only where both records of a slot say so, and it is
 * named. After an undo everything is as it was.
 *
 * SEED=N begins with the case of that number, CASES=N runs as many as that.
 */
#include "support.h"

#include <libpmemblk.h>

#include "damages.h"
#include "pool_file.h"
#include "run_tool.h"

#define BSIZE 4096u
#define NSLOT 4u /* each in a sector of its own */
#define NHOT 24u
#define NSNAP 8u
#define NOBODY UINT32_MAX

static struct pool_file base;
static const char *path;
static const char *undo;

static int make_base(void **state)
{
	PMEMblkpool *pool;

	(void)state;
	path = support_path(true, "pool");
	undo = support_path(true, "pool.undo");
	pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL, 0600);
	if (!pool || pmemblk_set_error(pool, 0) != 0)
		return -1;
	pmemblk_close(pool);
	base.p = support_read_file(path, &base.len);
	return btt_geometry_arena(base.len - ARENA, BSIZE, &base.geo);
}

static int free_base(void **state)
{
	(void)state;
	free(base.p);
	free(tool_said);
	return 0;
}

struct history {
	struct pool_file now;
	unsigned char *snap[NSNAP]; /* map and flog, the latest ones */
	unsigned nsnap;
	uint32_t hot[NHOT];
	uint32_t *writer; /* of each data block, the block whose data it holds */
};

static void write_block(struct history *h, uint64_t *random)
{
	unsigned n = 8 * pick(random, NSLOT);
	uint32_t lba = h->hot[pick(random, NHOT)];
	struct btt_flog_record r[2];
	uint32_t free_block;
	int cur;

	get_slot(&h->now, n, r);
	cur = btt_flog_find_current(r[0].seq, r[1].seq);
	free_block = btt_map_postmap(r[cur].old_map);
	h->writer[free_block] = lba;
	r[cur ^ 1] = (struct btt_flog_record){lba, get_entry(&h->now, lba),
					      BTT_MAP_NORMAL | free_block,
					      btt_flog_next_seq(r[cur].seq)};
	put_record(&h->now, n, cur ^ 1, &r[cur ^ 1]);
	put32(&h->now, map_off(&h->now, lba), BTT_MAP_NORMAL | free_block);
}

static void take_snapshot(struct history *h)
{
	uint64_t from = map_off(&h->now, 0);
	unsigned char **snap = &h->snap[h->nsnap++ % NSNAP];

	free(*snap);
	*snap = malloc(h->now.len - from);
	assert_non_null(*snap);
	memcpy(*snap, h->now.p + from, h->now.len - from);
}

static void make_history(struct history *h, uint64_t *random)
{
	unsigned n = 10 + pick(random, 60);

	*h = (struct history){.now = clone_file(&base)};
	h->writer = malloc(base.geo.internal_nlba * sizeof(*h->writer));
	assert_non_null(h->writer);
	for (uint32_t i = 0; i < base.geo.internal_nlba; i++)
		h->writer[i] = NOBODY;
	/* few blocks in few sectors: data blocks come back to who had them */
	for (unsigned i = 0; i < NHOT; i++)
		h->hot[i] = 128 * pick(random, 8) + pick(random, 2);
	for (unsigned i = 0; i < n; i++) {
		if (pick(random, 4) == 0)
			take_snapshot(h);
		write_block(h, random);
	}
}

static void free_history(struct history *h)
{
	for (unsigned i = 0; i < NSNAP; i++)
		free(h->snap[i]);
	free(h->now.p);
	free(h->writer);
}

static void fall_back(struct history *h, bool flog, uint64_t *random)
{
	unsigned kept = h->nsnap < NSNAP ? h->nsnap : NSNAP;
	uint64_t from = map_off(&h->now, 0);
	const unsigned char *then = kept ? h->snap[pick(random, kept)] : base.p + from;
	uint64_t at = flog ? slot_off(&h->now, 8 * pick(random, NSLOT))
			   : map_off(&h->now, h->hot[pick(random, NHOT)]);

	at &= ~UINT64_C(511);
	put_bytes(&h->now, at, then + (at - from), 512);
}

/* Whether the block reads data that another one's write has left. */
static bool is_foreign(const struct history *h, const struct pool_file *f, uint32_t lba)
{
	uint32_t entry = get_entry(f, lba);
	uint32_t writer = h->writer[btt_map_postmap(entry)];

	return get32(f, map_off(f, lba)) != 0 &&
	       (entry & BTT_MAP_FLAGS) == BTT_MAP_NORMAL && writer != NOBODY &&
	       writer != lba;
}

static bool is_named(uint32_t lba)
{
	char text[40];

	snprintf(text, sizeof(text), "\nblock %u: ", lba);
	return strncmp(tool_said, text + 1, strlen(text + 1)) == 0 ||
	       strstr(tool_said, text);
}

/* Returns whether there was anything to repair. */
static bool try_case(unsigned seed, bool flog)
{
	uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + flog;
	struct history h;
	bool damaged;

	make_history(&h, &random);
	fall_back(&h, flog, &random);
	unlink(undo);
	store_file(path, &h.now);
	damaged = tool_run(cmd_check, path, NULL) != 0;
	if (damaged) {
		struct pool_file after;

		if (tool_run(cmd_repair, path, NULL) != 0)
			fail_msg("seed %u: %s", seed, tool_said);
		assert_int_equal(pmemblk_check(path, 0), 1);
		after = load_file(path, &base);
		for (uint32_t i = 0; i < base.geo.external_nlba; i++)
			if (is_foreign(&h, &after, i) && !is_foreign(&h, &h.now, i) &&
			    !is_named(i))
				fail_msg("seed %u, %s: block %u got the data of block "
					 "%u\n%s",
					 seed, flog ? "flog" : "map", i,
					 h.writer[btt_map_postmap(get_entry(&after, i))],
					 tool_said);
		free(after.p);
		assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
		assert_true(is_file(path, &h.now));
	}
	free_history(&h);
	return damaged;
}

static void try_cases(bool flog)
{
	const char *seed_text = getenv("SEED");
	const char *cases = getenv("CASES");
	unsigned first = seed_text ? (unsigned)atoi(seed_text) : 1;
	unsigned most = SUPPORT_SANITIZED ? 300 : 2000;
	unsigned n = cases		    ? (unsigned)atoi(cases)
		     : getenv("CHECK_LONG") ? most
					    : 60; /* 58 and 147 once failed */
	unsigned damaged = 0;

	for (unsigned seed = first; seed < first + n; seed++)
		damaged += try_case(seed, flog);
	print_message("seeds %u to %u: %u damaged\n", first, first + n - 1, damaged);
	assert_true(n < 60 || damaged > n / 10);
}

static void a_flog_that_fell_back(void **state)
{
	(void)state;
	try_cases(true);
}

static void a_map_that_fell_back(void **state)
{
	(void)state;
	try_cases(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_flog_that_fell_back),
	    cmocka_unit_test(a_map_that_fell_back),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
