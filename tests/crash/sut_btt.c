/* SPDX-License-Identifier: BSD-3-Clause */
#include "sut_btt.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "btt/arena.h"
#include "btt/batch.h"
#include "btt/btt.h"
#include "btt/check.h"
#include "btt/lanes.h"
#include "btt/read.h"
#include "btt/zero_range.h"
#include "explore_state.h"
#include "hooks.h"
#include "ref.h"

static void *take(size_t size)
{
	uint64_t *p = explore_alloc(size + 64);

	if (!p)
		return NULL;
	*p = size;
	return p + 8;
}

static void give(void *p)
{
	(void)p;
}

static void *retake(void *old, size_t size)
{
	void *p = take(size);

	if (p && old) {
		uint64_t had = ((uint64_t *)old)[-8];

		memcpy(p, old, had < size ? had : size);
	}
	return p;
}

static char *copy_text(const char *text)
{
	char *p = take(strlen(text) + 1);

	return p ? strcpy(p, text) : NULL;
}

static void set_params(struct storage *s, struct btt_params *p)
{
	static bool ready;

	if (!ready)
		alloc_set_funcs(take, give, retake, copy_text);
	ready = true;
	memset(p, 0, sizeof(*p));
	p->name = "pool";
	p->data_off = REF_DATA_OFF;
	p->data_size = s->size - REF_DATA_OFF;
	p->bsize = EXPLORE_BSIZE;
	memcpy(p->parent.bytes, explore_parent(), 16);
	p->zeroed = s->base[4096 + 4] != 0;
	p->user_file = !p->zeroed;
	p->nlane = explore_running->nlane;
}

static int open_table(const struct sut *sut, struct storage *s, void **handle)
{
	struct btt_params params;
	struct btt *btt;
	int ret;

	(void)sut;
	set_params(s, &params);
	ret = btt_open(s, &params, &btt);
	*handle = btt;
	return ret;
}

static int apply(void *handle, char kind, uint64_t lba, void *buf)
{
	const struct btt *btt = handle;
	int ret;

	switch (kind) {
	case 'w':
		hooks_writing(&btt->poisoned);
		ret = btt_write(handle, buf, lba);
		hooks_writing(NULL);
		return ret;
	case 'z':
		return btt_set_zero(handle, lba);
	case 'e':
		return btt_set_error(handle, lba);
	case 'r':
		hooks_reading(&btt->poisoned);
		ret = btt_read(handle, buf, lba);
		hooks_reading(NULL);
		return ret;
	case 's':
		return btt_sync(handle);
	default:
		return -EINVAL;
	}
}

static int apply_many(void *handle, char kind, const uint64_t *lba,
		      unsigned char (*buf)[EXPLORE_BSIZE], unsigned n)
{
	const struct btt *btt = handle;
	struct btt_run run[NOP];
	long long failed;
	int ret;

	if (kind == 'z')
		return btt_zero_range(handle, lba[0], lba[n - 1] - lba[0] + 1, &failed);
	for (unsigned i = 0; i < n; i++)
		run[i] = (struct btt_run){buf[i], (long long)lba[i], 1};
	hooks_writing(&btt->poisoned);
	ret = btt_write_runs(handle, run, n, &failed);
	hooks_writing(NULL);
	return ret;
}

static int check(const struct sut *sut, struct storage *s)
{
	struct btt_params params;

	(void)sut;
	set_params(s, &params);
	return btt_check(s, &params);
}

static void end_thread(void)
{
#ifdef HOOKED
	hooks_ending(true);
	lane_end_thread(LANE_THREAD(explore_thread(), LANES_PRIVATE));
	hooks_ending(false);
#else
	explore_complete();
#endif
}

const struct sut sut_btt = {
    .name = "the table",
    .open = open_table,
    .apply = apply,
    .apply_many = apply_many,
    .check = check,
    .end_thread = end_thread,
};
