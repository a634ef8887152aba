/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a repair is going to do: findings in words, and changes of bytes. Changes are tried
 * on a private image as they are planned, so that what is decided later sees them. The files
 * are touched by repair/apply.c alone.
 *
 * Changes are made durable phase by phase. Power may fail between any two stores. What then
 * stands in the files must be no worse than the damage was, and it must lead the next repair
 * to the same end. Hence the order of the phases:
 *
 *   1. Before the first phase, what the decisions were based on is stored again and made
 *      durable. An earlier sync may have failed and may have left it in memory only.
 *   2. Interrupted writes are completed while the flog records that prove them still stand.
 *   3. Of map entries that name one block, those that may be wrong go into the error state
 *      before any of them gets another block. The one left over would look sound.
 *   4. Map entries get other blocks while the records that prove their rivals still stand.
 *   5. A flog slot is rewritten in four phases, see repair/blocks.c. A mixture of two records
 *      might name a free block that holds data.
 *   6. Info blocks, descriptor and header come last. A pool that could not be opened because
 *      of them cannot be opened before everything else is in order.
 *
 * The order of planning is another one. So several changes of the same bytes take effect in
 * the order of their phases, and repair_plan() judges what that order leaves.
 *
 * Functions that return int return 0 or -errno and have set the message.
 */
#ifndef PLAN_H
#define PLAN_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "image/image.h"

enum plan_phase {
	PLAN_MAP_COMPLETE,
	PLAN_MAP_MARK,
	PLAN_MAP,
	PLAN_FLOG_FIRST_HALVES,
	PLAN_FLOG_SECOND_HALVES,
	PLAN_FLOG_SEQUENCE,
	PLAN_FLOG_CLEAN,
	PLAN_INFO,
	PLAN_INFO_COPY,
	PLAN_HEADER,
	PLAN_NPHASE,

	/* A pool that grows has phases of its own (grow/grow.h), with the same numbers. */
	PLAN_GROW_BEHIND = PLAN_MAP_COMPLETE, /* what no arena owns yet */
	PLAN_GROW_LOCK = PLAN_MAP_MARK,
	PLAN_GROW_MOVE = PLAN_MAP, /* over the old metadata */
	/* PLAN_INFO, PLAN_INFO_COPY */
	PLAN_GROW_UNLOCK = PLAN_HEADER,
};

struct plan_change {
	uint64_t off;	/* in the pool image */
	uint32_t len;	/* bytes */
	uint32_t phase; /* enum plan_phase */
	size_t data;	/* where in plan->data the old bytes are; the new ones follow */
};

/* Bytes that decisions were based on. */
struct plan_basis {
	uint64_t off;
	uint64_t len;
};

/* An area whose bytes stand for what is written to the pool later. */
struct plan_area {
	uint64_t off;
	uint64_t len; /* whole pages */
	uint64_t sum; /* afterwards, see backup_sum_page() */
};

/*
 * What is stored before the first phase, behind the old end of the file, where it harms nothing.
 * The file is lengthened first; it is taken back by cutting it off. Both return 0 or -errno and
 * have set the message.
 */
struct plan_ahead {
	int (*allocate)(void *arg, struct image *image);
	int (*store)(void *arg, struct storage *s); /* durable when it returns 0 */
	void *arg;
};

struct plan {
	struct plan_change *change;
	size_t nchange;
	unsigned char *data;
	size_t ndata;
	size_t room; /* of data, bytes */

	struct plan_basis *basis;
	size_t nbasis;
	uint64_t extend_to; /* the file has to grow to this length first; 0: not */
	struct uuid parent; /* the pool's uuid afterwards */
	const struct plan_ahead *ahead; /* NULL: nothing */
	struct plan_area *area;
	size_t narea;

	char **finding;
	size_t nfinding;
	size_t max_findings;   /* more than this are counted, not kept */
	uint64_t findings;     /* all */
	uint64_t lost_blocks;  /* blocks that go into the error state */
	bool cannot_be_mended; /* something is beyond repair */
};

void plan_init(struct plan *plan, size_t max_findings);
void plan_free(struct plan *plan);

/* Notes a damage and what is going to be done about it, or that nothing can be. */
int plan_note(struct plan *plan, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
int plan_note_hopeless(struct plan *plan, const char *fmt, ...)
    PRINTF_LIKE(2, 3) MUST_CHECK;

/* The findings on stdout, one a line, at most max of those that were kept. */
void plan_print_findings(const struct plan *plan, size_t max);

/* Plans len new bytes at off and puts them into the image; nothing if they are there. */
int plan_change(struct plan *plan, struct image *image, enum plan_phase phase,
		uint64_t off, const void *bytes, size_t len) MUST_CHECK;

/* Puts all changes, in the order of planning, into an image that is as the files are. */
void plan_replay(const struct plan *plan, struct image *image);

/* Puts all changes, phase by phase, into an image that is as the files are. */
void plan_replay_phases(const struct plan *plan, struct image *image);

/* [off, off + len), whole pages, has to be durable before the first change. */
int plan_add_basis(struct plan *plan, uint64_t off, uint64_t len) MUST_CHECK;

/* What [off, off + len) is to hold afterwards, as long as nobody uses the pool. */
int plan_add_area(struct plan *plan, uint64_t off, uint64_t len, uint64_t sum) MUST_CHECK;

/* --- the bytes that change --------------------------------------------------------------- */

/* The changes of one run of bytes. */
struct plan_range {
	uint64_t off;
	uint64_t len;
	size_t first; /* index in plan_ranges.member */
	size_t n;
};

/* The runs of bytes that the plan changes: ascending, and apart from each other. */
struct plan_ranges {
	struct plan_range *range;
	size_t n;
	/* indices of changes, for each range in the order of their phases */
	size_t *member;
};

int plan_ranges(const struct plan *plan, struct plan_ranges *ranges) MUST_CHECK;
void plan_ranges_free(struct plan_ranges *ranges);

/* The bytes of range i as they are in the files. They need room for its len. */
void plan_range_old(const struct plan *plan, const struct plan_ranges *ranges, size_t i,
		    unsigned char *bytes);

/* Whether some change of range i belongs to the phase; if so, what it then holds. */
bool plan_range_after(const struct plan *plan, const struct plan_ranges *ranges, size_t i,
		      unsigned phase, unsigned char *bytes);

#endif
