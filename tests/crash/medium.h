/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A model of the medium below src/blk/storage/storage.h: what may be left of it after a power loss.
 *
 * What the program sees is an ordinary private mapping. Beside it the model knows what is
 * durable, and every store since then, as chains: after a power loss the medium holds, of
 * each chain, any prefix, whatever it holds of the others.
 *
 *   MEDIUM_PMEM  the ordinary stores to one cache line are a chain; each 8-byte word of a
 *		  bulk write is one by itself (that allows for non-temporal stores, and for
 *		  ordinary ones in any order)
 *   MEDIUM_WEAK  persistent memory of a machine that promises less: each 8-byte word is a
 *		  chain
 *   MEDIUM_FILE  the page cache of a file, which the kernel writes at any time and in any
 *		  order: each 8-byte word is a chain
 *
 * A sync of a file that fails is described in medium_fail.c.
 *
 * A flush notes how far each chain in its range has come. The next fence makes that much
 * durable, and no more: for MEDIUM_FILE the fence of the same step, for the others any
 * fence of the same thread, as the processors do it. Whatever a real fence may do beyond
 * that only removes images.
 *
 * The content at rest is that of a file shared by several media; medium_reset() returns to
 * it by putting back the changed lines alone, so that thousands of images a second can be
 * built, recovered and thrown away.
 */
#ifndef MEDIUM_H
#define MEDIUM_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/storage.h"

enum medium_kind { MEDIUM_PMEM, MEDIUM_WEAK, MEDIUM_FILE };

/* Calls from the code under test that a mutation may suppress, each known by its place. */
enum site_kind { SITE_NONE, SITE_FLUSH, SITE_WRITE, SITE_FENCE, SITE_RENEW };

struct site {
	enum site_kind kind; /* SITE_WRITE: the write-back that is part of write and zero;
		   * SITE_RENEW: the store that is part of renew, SITE_FLUSH: all of it */
	const void *caller;
};

/* Mutations of the order of a flog record's halves, and of a layout. */
enum medium_twist {
	TWIST_NONE,
	TWIST_SWAP,	 /* {new_map, seq} before {lba, old_map} */
	TWIST_LATE,	 /* {lba, old_map} only right before {new_map, seq} */
	TWIST_LATE_FLOG, /* of a layout: a flog is flushed with the info blocks only */
	TWIST_OLD_FLOG	 /* of a recovery: a flog is flushed, but not stored again */
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
	/* all of its stores, or 0: no sync will write them, medium_fail() */
	unsigned lost;
	struct medium_store *store;
};

struct medium_line {
	uint64_t off;
	uint64_t rest[8];    /* content at rest */
	uint64_t durable[8]; /* what the medium surely holds, or something newer */
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
	struct storage storage; /* first: the operations get it and find the medium */
	enum medium_kind kind;

	/*
	 * Called before each operation; and after each store of 4 bytes. NULL: not called.
	 */
	void (*before)(struct medium *m);
	void (*stored32)(struct medium *m, uint64_t off);
	bool at_fence;	  /* before() is called before a fence */
	void *context;	  /* for the two */
	unsigned thread;  /* who is calling */
	bool split;	  /* bulk writes go word by word, with a call of before() each */
	unsigned fail_in; /* the fence that many calls from now and all later ones fail */
	bool failed;	  /* one did */
	bool untold;	  /* see medium_lose() */
	bool any_lost;	  /* so there may be lost chains */
	/* bytes that the kernel takes for dirty or clean together; 8 at least */
	uint64_t page;
	bool lie; /* and says that it did not */

	struct site mutant;
	bool mutant_hit;
	enum medium_twist twist;
	uint64_t flog_lo, flog_hi; /* where twist applies */
	struct medium_store held[4];

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
	uint64_t last_step[4]; /* of each thread */
};

/* A file of that many zero bytes in memory, the content at rest of the media made on it. */
int medium_file(uint64_t size);

void medium_init(struct medium *m, int fd, uint64_t size, enum medium_kind kind);
void medium_free(struct medium *m);

/* Back to the content at rest, all durable. Hooks and mutants stay as they are. */
void medium_reset(struct medium *m);

/* Makes all that is visible durable. */
void medium_settle(struct medium *m);

/* The same, and writes it to the file: the content at rest of media made from now on. */
void medium_rest(struct medium *m, int fd);

/* Makes dst what src is after its process was killed: same visible content, same chains. */
void medium_kill(struct medium *dst, const struct medium *src);

/*
 * Pages that a failed sync has left clean go out of memory and read as on the medium. Salt tells
 * which ones, and how much of each was written after all; 0: none, MEDIUM_DROP_ALL: all of them,
 * and nothing was written. True if something has gone.
 */
#define MEDIUM_DROP_ALL UINT64_C(1)
bool medium_drop(struct medium *m, uint64_t salt);

/*
 * The images that a power loss may leave now. fn is called with a pick, how many stores of
 * each chain are in the image, and a hash of the image; it returns false to stop. All
 * images if there are at most `limit`, otherwise about that many: each chain alone missing
 * or alone present first, then a random sample. Returns true if it was all.
 */
bool medium_images(struct medium *m, size_t limit, uint64_t *rng,
		   bool (*fn)(void *arg, const unsigned *pick, uint64_t hash), void *arg);

/*
 * The kernel tries to write all that is not durable yet, in vain. The next sync, whoever asks for it,
 * tells that by failing.
 */
void medium_lose(struct medium *m);

/* Makes dst (at rest) the image of src that pick stands for, all of it durable. */
void medium_lose_power(struct medium *dst, const struct medium *src,
		       const unsigned *pick);

/* Number of stores that are not surely durable. */
unsigned medium_npending(const struct medium *m);

/* The same for two media that leave the same images, and with `flushes` behave alike. */
uint64_t medium_hash(const struct medium *m, bool flushes);

/* Calls fn for every 8-byte word that differs from the content at rest. */
void medium_each_change(const struct medium *m,
			void (*fn)(void *arg, uint64_t off, uint64_t visible), void *arg);

/* Every site that was executed since the program began. */
size_t medium_sites(const struct site **sites);

uint64_t mix64(uint64_t a, uint64_t b);

#endif
