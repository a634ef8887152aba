/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto.h"

#include <errno.h>
#include <string.h>

#include "ref.h"
#include "sched.h"

#define NLANE 2u
#define NLOCK 256u
#define NORMAL UINT32_C(0xc0000000)
#define ZERO UINT32_C(0x80000000)
#define ERROR UINT32_C(0x40000000)
#define FLAGS UINT32_C(0xc0000000)
#define INDEX UINT32_C(0x3fffffff)
#define NO_LBA UINT32_MAX

struct plain_lock {
	bool held;
};

struct slot {
	struct plain_lock lock;
	uint32_t free_block, seq, next, prev;
};

struct proto {
	struct storage *s;
	const struct rules *rules;
	uint64_t data, map, flog;
	uint32_t nlba, lbasize;
	struct slot slot[REF_NFREE];
	struct plain_lock lock[NLOCK];
	uint64_t version[NLOCK];
	unsigned char dirty[4096]; /* of each map line, or of each lock */
};

static bool is_free(const void *lock)
{
	return !((const struct plain_lock *)lock)->held;
}

static void acquire(struct plain_lock *lock)
{
	explore_point();
	while (lock->held)
		sched_block(is_free, lock);
	lock->held = true;
}

static void release(struct plain_lock *lock)
{
	explore_point();
	lock->held = false;
}

static uint32_t load(const struct proto *p, uint64_t off)
{
	uint32_t value = storage_load32(p->s, off, memory_order_relaxed);

	explore_read(value);
	return value;
}

static uint32_t entry_of(const struct proto *p, uint32_t lba)
{
	uint32_t entry = load(p, p->map + UINT64_C(4) * lba);

	return entry & FLAGS ? entry : lba | NORMAL;
}

static unsigned lock_of(uint32_t lba)
{
	return lba / 16 % NLOCK;
}

static unsigned char *mark_of(struct proto *p, uint32_t lba)
{
	return &p->dirty[p->rules->mark == MARK_PER_LOCK ? lock_of(lba) : lba / 16];
}

static void flush_entry(struct proto *p, struct storage_step *step, uint32_t lba)
{
	storage_flush(p->s, step, p->map + UINT64_C(4) * lba, 4);
}

static void store_entry(struct proto *p, uint32_t lba, uint32_t entry)
{
	*mark_of(p, lba) = 1;
	storage_store32(p->s, p->map + UINT64_C(4) * lba, entry);
}

static int log_write(struct proto *p, struct slot *slot, uint64_t record, uint64_t first,
		     uint64_t second, uint32_t lba, struct storage_step *step)
{
	const struct rules *r = p->rules;
	bool early = !r->late_first && !p->s->line_order;
	int ret;

	if (r->four_step) {
		ret = storage_fence(p->s, step);
		storage_store64(p->s, record, first);
		storage_flush(p->s, step, record, 8);
		ret |= storage_fence(p->s, step);
		storage_store64(p->s, record + 8, second);
		storage_flush(p->s, step, record + 8, 8);
		return ret | storage_fence(p->s, step);
	}
	if (!r->no_flush_entry && (r->mark == MARK_NONE || *mark_of(p, lba)))
		flush_entry(p, step, lba);
	if (!r->no_flush_prev && slot->prev != NO_LBA)
		flush_entry(p, step, slot->prev);
	if (early) {
		storage_store64(p->s, record, first);
		storage_flush(p->s, step, record, 8);
	}
	ret = r->no_fence1 ? 0 : storage_fence(p->s, step);
	if (ret)
		return ret;
	*mark_of(p, lba) = 0;
	if (!early && !r->swapped)
		storage_store64(p->s, record, first);
	storage_store64(p->s, record + 8, second);
	if (!early && r->swapped)
		storage_store64(p->s, record, first);
	storage_flush(p->s, step, record, 16);
	return r->no_fence2 ? 0 : storage_fence(p->s, step);
}

static int write_block(struct proto *p, uint32_t lba, const void *buf)
{
	struct storage_step step = STORAGE_STEP_INIT;
	unsigned lane = explore_lane() % NLANE;
	struct slot *slot = &p->slot[lane];
	unsigned lock = lock_of(lba);
	uint32_t seq, old, new;
	int ret;

	acquire(&slot->lock);
	acquire(&p->lock[lock]);
	seq = slot->seq % 3 + 1;
	old = entry_of(p, lba);
	new = slot->free_block | NORMAL;
	storage_write(p->s, &step, p->data + (uint64_t)slot->free_block * p->lbasize, buf,
		      EXPLORE_BSIZE);
	ret = log_write(p, slot, p->flog + lane * 64 + slot->next * 16,
			(uint64_t)old << 32 | lba, (uint64_t)seq << 32 | new, lba, &step);
	if (ret == 0) {
		store_entry(p, lba, new);
		if (!p->rules->no_end_flush)
			flush_entry(p, &step, lba);
		if (p->rules->four_step)
			ret = storage_fence(p->s, &step);
		slot->free_block = old & INDEX;
		slot->next ^= 1;
		slot->seq = seq;
		slot->prev = lba;
	}
	if (!p->rules->late_version) {
		explore_point();
		p->version[lock]++;
	}
	release(&slot->lock);
	if (p->rules->late_version) {
		explore_point();
		p->version[lock]++;
	}
	release(&p->lock[lock]);
	return ret;
}

static int set_flag(struct proto *p, uint32_t lba, uint32_t flag)
{
	struct storage_step step = STORAGE_STEP_INIT;
	unsigned lock = lock_of(lba);
	uint32_t raw;
	int ret = 0;

	acquire(&p->lock[lock]);
	raw = load(p, p->map + UINT64_C(4) * lba);
	if ((raw & FLAGS) != flag) {
		store_entry(p, lba, (entry_of(p, lba) & INDEX) | flag);
		explore_point();
		p->version[lock]++;
	}
	if ((raw & FLAGS) != flag || !p->rules->zero_shortcut) {
		flush_entry(p, &step, lba);
		ret = storage_fence(p->s, &step);
		*mark_of(p, lba) = 0;
	}
	release(&p->lock[lock]);
	return ret;
}

/* One attempt; true if the copy is good. */
static bool try_read(struct proto *p, uint32_t lba, unsigned char *buf, int *ret)
{
	unsigned lock = lock_of(lba);
	uint64_t version;
	uint32_t entry;

	explore_point();
	version = p->version[lock];
	explore_read(version);
	explore_point();
	entry = load(p, p->map + UINT64_C(4) * lba);
	*ret = (entry & FLAGS) == ERROR ? -EIO : 0;
	if ((entry & FLAGS) != NORMAL) {
		memset(buf, 0, EXPLORE_BSIZE);
		return true;
	}
	for (unsigned at = 0; at < EXPLORE_BSIZE; at += 8) {
		uint64_t word;

		explore_point();
		word = storage_load64(
		    p->s, p->data + (uint64_t)(entry & INDEX) * p->lbasize + at,
		    memory_order_relaxed);
		explore_read(word);
		memcpy(buf + at, &word, 8);
	}
	explore_point();
	if (p->rules->reader != READ_VERSION_ONLY &&
	    load(p, p->map + UINT64_C(4) * lba) != entry)
		return false;
	explore_point();
	explore_read(p->version[lock]);
	return p->rules->reader == READ_ENTRY_ONLY || p->version[lock] == version;
}

static int read_block(struct proto *p, uint32_t lba, void *buf)
{
	unsigned lock = lock_of(lba);
	int ret;

	for (unsigned i = 0; i < 3; i++)
		if (try_read(p, lba, buf, &ret))
			return ret;
	acquire(&p->lock[lock]);
	try_read(p, lba, buf, &ret);
	release(&p->lock[lock]);
	return ret;
}

static int sync_all(struct proto *p)
{
	struct storage_step step = STORAGE_STEP_INIT;

	if (p->rules->no_sync)
		return 0;
	for (unsigned n = 0; n < REF_NFREE; n++)
		if (p->slot[n].prev != NO_LBA)
			flush_entry(p, &step, p->slot[n].prev);
	return storage_fence(p->s, &step);
}

static int apply(void *handle, char kind, uint64_t lba, void *buf)
{
	struct proto *p = handle;

	switch (kind) {
	case 'w':
		return write_block(p, (uint32_t)lba, buf);
	case 'z':
		return set_flag(p, (uint32_t)lba, ZERO);
	case 'e':
		return set_flag(p, (uint32_t)lba, ERROR);
	case 'r':
		return read_block(p, (uint32_t)lba, buf);
	default:
		return sync_all(p);
	}
}

static int recover_slot(struct proto *p, unsigned n, struct storage_step *step)
{
	struct slot *slot = &p->slot[n];
	uint64_t at = p->flog + n * 64;
	uint32_t a = load(p, at + 12), b = load(p, at + 28);
	unsigned cur = a && b ? a % 3 + 1 == b : !a;
	uint32_t lba = load(p, at + 16 * cur), old = load(p, at + 16 * cur + 4);
	uint32_t new = load(p, at + 16 * cur + 8);

	slot->free_block = old & INDEX;
	slot->seq = cur ? b : a;
	slot->next = cur ^ 1;
	slot->prev = old != new && !p->rules->trusting_open ? lba : NO_LBA;
	if (old == new || entry_of(p, lba) != old)
		return 0;
	storage_store32(p->s, p->map + UINT64_C(4) * lba, new);
	flush_entry(p, step, lba);
	return p->rules->trusting_open ? storage_fence(p->s, step) : 0;
}

static int open_pool(const struct sut *sut, struct storage *s, void **handle)
{
	struct storage_step step = STORAGE_STEP_INIT;
	struct proto *p = explore_alloc(sizeof(*p));
	int ret = 0;

	p->s = s;
	p->rules = sut->config;
	p->nlba = load(p, REF_DATA_OFF + 60);
	p->lbasize = load(p, REF_DATA_OFF + 64);
	p->data = REF_DATA_OFF + load(p, REF_DATA_OFF + 88);
	p->map = REF_DATA_OFF + load(p, REF_DATA_OFF + 96);
	p->flog = REF_DATA_OFF + load(p, REF_DATA_OFF + 104);
	memset(p->dirty, !p->rules->trusting_open, sizeof(p->dirty));
	if (!p->rules->trusting_open) {
		storage_flush(s, &step, p->flog, REF_NFREE * 64);
		ret = storage_fence(s, &step);
	}
	for (unsigned n = 0; n < REF_NFREE && !ret; n++)
		ret = recover_slot(p, n, &step);
	*handle = p;
	return ret ? ret : storage_fence(s, &step);
}

void proto_init(struct sut *sut, const char *name, const struct rules *rules)
{
	memset(sut, 0, sizeof(*sut));
	sut->name = name;
	sut->config = rules;
	sut->open = open_pool;
	sut->apply = apply;
}
