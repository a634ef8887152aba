/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A model of the medium below src/blk/storage/storage.h. It tells what may be left after a power
 * loss.
 *
 * The program sees an ordinary private mapping. In addition the model records what is durable,
 * and every store since then, in chains. After a power loss the medium holds any prefix of each
 * chain, independently of the other chains.
 *
 *   MEDIUM_PMEM  the ordinary stores to one cache line are a chain; each 8-byte word of a
 *		  bulk write is a chain of its own (this covers non-temporal stores, and
 *		  ordinary stores in any order)
 *   MEDIUM_WEAK  persistent memory of a machine that promises less: each 8-byte word is a
 *		  chain
 *   MEDIUM_FILE  the page cache of a file, which the kernel writes at any time and in any
 *		  order: each 8-byte word is a chain
 *
 * medium_fail.c describes what a failed sync of a file leaves.
 *
 * A flush records how many stores each chain in its range has. The next fence makes exactly these
 * durable: for MEDIUM_FILE the next fence of the same step, for the others the next fence of the
 * same thread, as processors do it. A real fence may make more durable, which only removes
 * images.
 *
 * The content at rest is that of a file that several media share. medium_reset() returns to it by
 * restoring only the changed lines, so that thousands of images can be built, recovered and
 * discarded in a second.
 */
#ifndef MEDIUM_H
#define MEDIUM_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/storage.h"

enum medium_kind { MEDIUM_PMEM, MEDIUM_WEAK, MEDIUM_FILE };

/* Calls of the code under test that a mutation may suppress; each is known by its call site. */
enum site_kind { SITE_NONE, SITE_FLUSH, SITE_WRITE, SITE_FENCE, SITE_RENEW };

struct site {
	enum site_kind kind; /* SITE_WRITE: the write-back that is part of write and zero;
		   * SITE_RENEW: the store that is part of renew, SITE_FLUSH: all of it */
	const void *caller;
};

/* Mutations of the order of the halves of a flog record, and of a layout. */
enum medium_twist {
	TWIST_NONE,
	TWIST_SWAP, /* {new_map, seq} before {lba, old_map} */
	TWIST_LATE, /* {lba, old_map} only right before {new_map, seq} */
	TWIST_LATE_FLOG, /* in a layout: a flog is flushed only together with the info blocks */
	TWIST_OLD_FLOG /* in a recovery: a flog is flushed, but not stored again */
};

/* One store to an aligned 8-byte word. */
struct medium_store {
	uint64_t off;
	uint64_t value;
	uint64_t mask;
};

struct medium_chain {
	uint64_t key;
	unsigned n;
	unsigned cap;
	/*
	 * the number of its stores if no sync will write them any more, see medium_fail(); or 0
	 */
	unsigned lost;
	struct medium_store *store;
};

struct medium_line {
	uint64_t off;
	uint64_t rest[8];    /* content at rest */
	uint64_t durable[8]; /* the oldest value that the medium may hold */
};

struct medium_pending {
	unsigned thread;
	uint64_t step;
	unsigned chain;
	unsigned count;
};

struct table {
	uint64_t *key;
	unsigned *value;
	size_t cap;
};

struct medium {
	/* first member, because the operations get the storage and find the medium from it */
	struct storage storage;
	enum medium_kind kind;

	/*
	 * Called before each operation; and after each store of 4 bytes. NULL: not called.
	 */
	void (*before)(struct medium *m);
	void (*stored32)(struct medium *m, uint64_t off);
	bool at_fence; /* before() is called before a fence */
	void *context; /* for the two */
	unsigned
	    thread; /* who is calling: a number, which passes from thread to thread */
	bool split; /* bulk writes go word by word, with a call of before() each */
	unsigned fail_in; /* the fence that many calls from now and all later ones fail */
	bool failed;	  /* a fence has failed */
	bool untold;	  /* see medium_lose() */
	bool any_lost;	  /* there may be lost chains */
	/* the bytes that the kernel marks as dirty or clean together; at least 8 */
	uint64_t page;
	bool lie; /* a failing fence returns 0 all the same */

	struct site mutant;
	bool mutant_hit;
	enum medium_twist twist;
	uint64_t flog_lo, flog_hi; /* where twist applies */
	struct medium_store
	    held[8]; /* first halves that are to come late, of any thread */

	/* Counts since medium_reset. */
	uint64_t nfence, nflush, nstore;

	/* Private. */
	int fd;
	struct medium_line *line;
	unsigned nline, line_cap;
	struct medium_chain *chain;
	unsigned nchain, chain_cap;
	struct medium_pending *pending;
	unsigned npending, pending_cap;
	struct table lines, chains;
	uint64_t durable_hash;
	uint64_t last_step[4]; /* of each number */
	unsigned ended[4];     /* how many threads had the number before */
};

/* Makes a file in memory of so many zero bytes: the content at rest of the media made on it. */
int medium_file(uint64_t size);

void medium_init(struct medium *m, int fd, uint64_t size, enum medium_kind kind);
void medium_free(struct medium *m);

/*
 * Persistent memory: completes the flushes that the calling thread has issued, as a fence does. The
 * other call: the calling thread has ended, and another one has its number from now on.
 */
void medium_complete(struct medium *m);
void medium_end_thread(struct medium *m);

/* A fence of several threads' steps, at most 4, by one sync. */
int medium_sync(struct storage *s, struct storage_step *step, unsigned n);

/* Returns to the content at rest, all of it durable. Hooks and mutants are not changed. */
void medium_reset(struct medium *m);

/* Makes the visible content durable. */
void medium_settle(struct medium *m);

/* The same, and writes it to the file: it is the content at rest of media made after this. */
void medium_rest(struct medium *m, int fd);

/* Makes dst equal to src after a kill of its process: same visible content, same chains. */
void medium_kill(struct medium *dst, const struct medium *src);

/*
 * Evicts pages that a failed sync has left clean; after that they read as on the medium. The salt
 * selects the pages, and how much of each was written after all. 0: no page; MEDIUM_DROP_ALL: all
 * of them, and nothing was written. Returns true if a value has changed.
 */
#define MEDIUM_DROP_ALL UINT64_C(1)
bool medium_drop(struct medium *m, uint64_t salt);

/*
 * Enumerates the images that a power loss may leave now. Calls fn with a pick (how many stores of
 * each chain are in the image) and a hash of the image; fn returns false to stop. If there are at
 * most `limit` images, it enumerates all of them and returns true. Otherwise it enumerates about
 * `limit`: first those in which only one chain is missing or only one is present, then a random
 * sample.
 */
bool medium_images(struct medium *m, size_t limit, uint64_t *rng,
		   bool (*fn)(void *arg, const unsigned *pick, uint64_t hash), void *arg);

/*
 * The kernel tries to write everything that is not durable yet, and fails. The next sync, of any
 * thread, reports it by failing.
 */
void medium_lose(struct medium *m);

/* Makes dst, which is at rest, the image of src for this pick. All of it is durable. */
void medium_lose_power(struct medium *dst, const struct medium *src,
		       const unsigned *pick);

/* The number of stores that may not be durable yet. */
unsigned medium_npending(const struct medium *m);

/*
 * Equal for two media that can leave the same images; with `flushes` also their flushes are
 * equal.
 */
uint64_t medium_hash(const struct medium *m, bool flushes);

/* Calls fn for every 8-byte word that differs from the content at rest. */
void medium_each_change(const struct medium *m,
			void (*fn)(void *arg, uint64_t off, uint64_t visible), void *arg);

/*
 * Returns every call site that was executed since the program began, and for each the bits that
 * medium_mark had when it was executed.
 */
size_t medium_sites(const struct site **sites, const uint64_t **met);
extern uint64_t medium_mark;

uint64_t mix64(uint64_t a, uint64_t b);

#endif
