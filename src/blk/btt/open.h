/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening and closing a block translation table.
 *
 * Functions that return int return 0 or -errno and have set the message when they fail.
 */
#ifndef BTT_OPEN_H
#define BTT_OPEN_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "compiler.h"
#include "storage/storage.h"

struct btt;
struct btt_fast;

#define BTT_MAX_LANES 256u

/* How far a table has come, for processes that share its storage. */
enum btt_progress {
	BTT_UNTOUCHED, /* nothing was stored since the table was opened, not laid out */
	BTT_BEING_LAID_OUT, /* or this failed, or was interrupted; all blocks are zeros */
	BTT_LAID_OUT,
	/* a sync has failed, but a thread of the owner may still take a record back */
	BTT_FAILING,
	/* laid out, and a sync has failed: readers redo updates, see btt/redo.h */
	BTT_FAILED,
};

/*
 * Map locks of an arena, and their versions. With 200 threads on two CPUs many threads stand still
 * while they hold a lock. With 256 locks every thirtieth write had to sleep. With 1,024 such writes
 * were 1.2 times as fast, with 4,096 1.4 times, and with 8,192 no faster.
 */
#ifdef BTT_CRASH_TEST_MAP_LOCKS /* for tests with small pools, where blocks share a lock */
#define BTT_MAP_LOCKS BTT_CRASH_TEST_MAP_LOCKS
#else
#define BTT_MAP_LOCKS 4096u
#endif

/* Map entries of one cache line; they have the same lock. */
#define BTT_LINE_ENTRIES 16u

/*
 * The map stores under a lock. Two of them are in a cache line. All of an arena, and its locks, take
 * 160 KiB, and so stay in the second cache of most CPUs.
 */
struct btt_version {
	/* number of map stores; release after each store; acquire: readers */
	_Alignas(32) _Atomic(uint64_t) count;
	/*
	 * R17: the map store under this lock that may not be durable. Relaxed; only the holder of
	 * the lock accesses these, and a process that takes the table over.
	 */
	_Atomic(uint64_t) last_thread; /* lane_thread(); 0: there is none */
	_Atomic(uint64_t) last_turn;   /* lanes_turn() */
	_Atomic(uint32_t) last_premap; /* its entry */
};

struct btt_params {
	const char *name;  /* the pool's path, for messages */
	uint64_t data_off; /* start of the data area in the storage, a multiple of 4096 */
	uint64_t data_size; /* its length in bytes, a multiple of 4096 */
	uint32_t bsize;	    /* block size in bytes as the user asked for it, not 0 */
	struct uuid parent; /* the pool's uuid: info blocks of other pools are not ours */
	bool zeroed;	    /* the data area was all zeros when the pool was created */
	bool user_file;	    /* is_zeroed is 0: the file was supplied by the user */
	bool is_created;    /* just now, so nothing in the file is of this pool */
	unsigned nlane;	    /* flog slots to use, 1 to BTT_MAX_LANES */
	/*
	 * An enum btt_progress that is kept up to date, with release: it is BTT_BEING_LAID_OUT
	 * before the first store, and BTT_FAILING or BTT_FAILED once a sync of a file has failed.
	 * NULL: not needed.
	 */
	_Atomic(uint32_t) *progress;
	/*
	 * btt_count_versions() of them, zero at first. The tables of all processes that share the
	 * storage use the same ones. NULL: the table has its own.
	 */
	struct btt_version *versions;
	/*
	 * Zero at first. The table puts there what btt_fast_read() needs, and takes it back when it
	 * is closed. Only one open table uses it. NULL: the table has its own.
	 */
	struct btt_fast *fast;
};

/*
 * Opens the table. If the pool is not laid out, nothing is stored until the first write.
 * Otherwise it is recovered: primary info blocks from their copies, interrupted writes from the
 * flog. The stores of the recovery to s are durable when the function returns.
 *
 * -EINVAL: the block size does not fit the data area, or the info blocks or the flog are damaged
 * so that recovery must not decide; nothing has been changed then. -ENOMEM, -EIO. The caller
 * closes *out with btt_close(); s must live longer.
 */
int btt_open(struct storage *s, const struct btt_params *params,
	     struct btt **out) MUST_CHECK;

/*
 * Opens another table like known, which is not laid out, on the same data area and without a look
 * at it: nothing has been stored there since known was opened. Uses only the parts of known that
 * never change, so known may be a copy that a fork made. -ENOMEM, message set.
 */
int btt_open_untouched(struct storage *s, const struct btt_params *params,
		       const struct btt *known, struct btt **out) MUST_CHECK;

/* Frees the table's memory. Stores nothing. NULL is allowed. */
void btt_close(struct btt *btt);

uint64_t btt_nblock(const struct btt *btt);
bool btt_is_laid_out(const struct btt *btt);

/*
 * Computes the number of blocks for a data area of this size. -EINVAL, message set: it cannot
 * hold blocks of this size. Pure; pmemblk_create calls it before it makes a file.
 */
int btt_count_blocks(const char *name, uint64_t data_size, uint32_t bsize,
		     uint64_t *nblock) MUST_CHECK;

/* How many versions a table on a data area of this size in bytes needs. Pure. */
size_t btt_count_versions(uint64_t data_size);

/*
 * Tells the readers of all tables with the same versions that any entry may have changed, because
 * recovery stores entries without their versions. Also forgets the map stores that a former owner
 * has recorded (R17), because recovery has made them durable. To be called before the first
 * write.
 */
void btt_raise_versions(struct btt *btt);

/* What was found when a table was opened. */
enum btt_condition {
	BTT_SOUND,
	BTT_MENDED, /* recovery repaired damage */
	BTT_LOST,   /* the layout is damaged beyond that: the table has no arenas */
};

/*
 * The common part of open and check: opens and recovers the table as btt_open() does. But a lost
 * layout is not an error; then the message says what is damaged. No other thread sees the arenas
 * yet.
 */
int btt_open_any(struct storage *s, const struct btt_params *params, struct btt **out,
		 enum btt_condition *condition) MUST_CHECK;

#endif
