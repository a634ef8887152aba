/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pools with which programs start, the contents of blocks, and the memory of the code under
 * test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "explore_state.h"
#include "btt/arena.h"
#include "ref.h"

/*
 * The smallest data area that has them. The first two blocks share a line of the map. The third has a
 * line and a lock of its own. The fourth shares the lock of the first, but not its line.
 *
 * With two arenas, the first two blocks are in the first arena, and the other two in the second,
 * where they share a line of the map. The third block is the first one of its arena.
 */
#define DATA_SIZE ((uint64_t)BTT_LOCK_ENTRIES * 512 + (UINT64_C(8) << 20))
static const uint64_t lbas[NTRACKED] = {0, 1, 40, BTT_LOCK_ENTRIES + 2};
static const uint64_t lbas_of_two[NTRACKED] = {0, 1, 0, 1}; /* in their arenas */

#ifdef BTT_CRASH_TEST_ARENA_SIZE
#define ARENA_MAX BTT_CRASH_TEST_ARENA_SIZE
#else
#define ARENA_MAX (UINT64_C(1) << 39)
#endif

static const unsigned char parent[16] = {'c', 'r', 'a', 's', 'h'};

#define HEAP_SIZE ((size_t)64 << 20)
static unsigned char *heap;
static size_t heap_used;

void *explore_alloc(size_t size)
{
	unsigned char *p;

	if (!heap) {
		heap = mmap(NULL, HEAP_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (heap == MAP_FAILED)
			abort();
	}
	size = (size + 63) & ~(size_t)63;
	if (size > HEAP_SIZE - heap_used)
		return NULL;
	p = heap + heap_used;
	heap_used += size;
	memset(p, 0, size);
	return p;
}

size_t explore_heap_mark(void)
{
	return heap_used;
}

void explore_heap_release(size_t mark)
{
	heap_used = mark;
}

uint64_t explore_heap_hash(void)
{
	uint64_t h[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint64_t sum = heap_used;

	for (size_t at = 0; at < heap_used; at += 64) {
		uint64_t line[8];

		memcpy(line, heap + at, 64);
		for (unsigned i = 0; i < 8; i++) {
			h[i] = (h[i] ^ line[i]) * 0x9e3779b97f4a7c15u;
			h[i] ^= h[i] >> 29;
		}
	}
	for (unsigned i = 0; i < 8; i++)
		sum = mix64(sum, h[i]);
	return sum;
}

uint64_t explore_size(void)
{
	return REF_DATA_OFF + (explore_running->narena - 1) * ARENA_MAX + DATA_SIZE;
}

uint64_t explore_lba(unsigned block)
{
	if (explore_running->narena == 1)
		return lbas[block];
	return lbas_of_two[block] + (block < 2 ? 0 : explore_running->state->nfirst);
}

const unsigned char *explore_parent(void)
{
	return parent;
}

static uint64_t pattern(unsigned char value, unsigned word)
{
	return mix64(value, word + 1) | 1;
}

void explore_fill(void *buf, unsigned char value)
{
	for (unsigned w = 0; w < EXPLORE_BSIZE / 8; w++) {
		uint64_t word = value == VALUE_ZERO ? 0 : pattern(value, w);

		memcpy((char *)buf + 8 * w, &word, 8);
	}
}

unsigned char explore_identify(const void *data)
{
	unsigned char buf[EXPLORE_BSIZE];

	for (unsigned char value = VALUE_ZERO; value < VALUE_COUNT; value++) {
		uint64_t first, want = value == VALUE_ZERO ? 0 : pattern(value, 0);

		memcpy(&first, data, 8);
		if (first != want || value == VALUE_ERROR)
			continue;
		explore_fill(buf, value);
		if (memcmp(buf, data, EXPLORE_BSIZE) == 0)
			return value;
	}
	return VALUE_GARBAGE;
}

const char *explore_value_name(unsigned char value, char buf[32])
{
	if (value == VALUE_ZERO)
		return "zeros";
	if (value == VALUE_ERROR)
		return "an error";
	if (value == VALUE_GARBAGE)
		return "garbage";
	if (value >= VALUE_BASE) {
		snprintf(buf, 32, "base data %d", value - VALUE_BASE);
	} else {
		unsigned i = (unsigned)value - VALUE_FIRST;

		snprintf(buf, 32, "data of %u.%u.%u", i / (NTHREAD * NOP),
			 i / NOP % NTHREAD, i % NOP);
	}
	return buf;
}

static void put(void *arg, uint64_t off, const void *data, size_t len)
{
	struct medium *m = arg;
	struct storage_step step = STORAGE_STEP_INIT;

	m->storage.ops->write(&m->storage, &step, off, data, len);
}

static void die(const char *what, int ret)
{
	fprintf(stderr, "%s: %d\n", what, ret);
	abort();
}

/* Uses the code under test: makes blocks of each state, and uses slots. */
static void use_table(struct explorer *ex, struct medium *m)
{
	static const char *const ops = "wwzweww";
	static const unsigned char block[] = {0, 0, 2, 1, 3, 0, 1};
	size_t mark = explore_heap_mark();
	void *handle;
	int ret = ex->sut->open(ex->sut, &m->storage, &handle);

	for (unsigned i = 0; !ret && ops[i]; i++) {
		unsigned char buf[EXPLORE_BSIZE];

		explore_fill(buf, (unsigned char)(VALUE_BASE + block[i]));
		ex->state->lane_now = i % 2;
		ret = ex->sut->apply(handle, ops[i], explore_lba(block[i]), buf);
	}
	if (ret)
		die("making the base image", ret);
	explore_heap_release(mark);
}

/* Old data of a user's file: all kinds of words where the map and the flog will be. */
static void fill_stale(struct explorer *ex, struct medium *m)
{
	for (unsigned a = 0; a < ex->narena; a++)
		for (uint64_t i = 0; i < REF_NFREE * 8; i++) {
			uint64_t junk = mix64(ex->seed + a, i);

			put(m, ex->state->flog_off[a] + 8 * i, &junk, 8);
		}
	for (unsigned b = 0; b < NTRACKED; b++) {
		uint32_t entry = UINT32_C(0xc0000005) + b;

		put(m, ex->state->map_off[b], &entry, 4);
	}
}

/* The pool is a user's file: data blocks that were never written hold what was there before. */
static void fill_data_blocks(struct explorer *ex, struct medium *m)
{
	unsigned char old[EXPLORE_BSIZE];

	memset(old, 0x5c, sizeof(old));
	for (unsigned b = 0; b < NTRACKED; b++)
		put(m, ex->state->data_off[b], old, sizeof(old));
}

static void make_base(struct explorer *ex, enum explore_base base)
{
	struct explorer_state *st = ex->state;
	bool laid_out = base == BASE_FRESH || base == BASE_USED;
	static const unsigned char used[NTRACKED] = {VALUE_BASE, VALUE_BASE + 1,
						     VALUE_ZERO, VALUE_ERROR};
	struct medium m;
	struct ref ref;

	st->fd[base] = medium_file(explore_size());
	medium_init(&m, st->fd[base], explore_size(), ex->kind);
	/* the place of the map does not depend on the base */
	ref_format(put, &m, explore_size(), ARENA_MAX, EXPLORE_BSIZE, parent, false,
		   true);
	ref_recover(&ref, m.storage.base, explore_size(), EXPLORE_BSIZE, parent);
	if (ref.narena != ex->narena)
		die("making the base image: arenas", (int)ref.narena);
	st->nfirst = ref.arena[0].nlba;
	for (unsigned a = 0; a < ref.narena; a++) {
		st->info_off[a] = ref.arena[a].off;
		st->flog_off[a] = ref.arena[a].flog;
	}
	st->lbasize = ref.arena[0].lbasize;
	for (unsigned b = 0; b < NTRACKED; b++) {
		st->map_off[b] = ref_map_off(&ref, explore_lba(b));
		st->data_off[b] = ref_data_off(&ref, explore_lba(b));
	}
	if (!laid_out) {
		medium_reset(&m);
		ref_format(put, &m, explore_size(), ARENA_MAX, EXPLORE_BSIZE, parent,
			   base == BASE_EMPTY, false);
	}
	if (laid_out)
		fill_data_blocks(ex, &m);
	if (base == BASE_USED) {
		use_table(ex, &m);
		memcpy(st->initial[base], used, NTRACKED);
	}
	if (base == BASE_STALE)
		fill_stale(ex, &m);
	medium_rest(&m, st->fd[base]);
	medium_free(&m);
	for (unsigned i = 0; i < EXPLORE_LEVELS; i++)
		medium_init(&st->medium[base][i], st->fd[base], explore_size(), ex->kind);
	st->made[base] = true;
}

void explore_select_base(struct explorer *ex, enum explore_base base)
{
	explore_running = ex;
	if (!ex->state->made[base])
		make_base(ex, base);
	ex->state->base = base;
}

int explore_base_file(const struct explorer *ex, enum explore_base base)
{
	return ex->state->fd[base];
}

struct medium *explore_level(struct explorer *ex, unsigned level)
{
	return &ex->state->medium[ex->state->base][level];
}
