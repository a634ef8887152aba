/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a repair is going to do: findings in words, and changes of bytes. A planned change is put
 * into a private image at once, so that later decisions see it. Only repair/apply.c puts the
 * changes into the files.
 *
 * Changes are made durable phase by phase. Power may fail between any two stores. Then the files
 * must be no worse than they were with the damage, and the next repair must come to the same
 * result. Hence the order of the phases:
 *
 *   1. Before the first phase, what the decisions were based on is stored again and made durable.
 *      An earlier sync may have failed, and it may be in memory only.
 *   2. Interrupted writes are completed while the flog records that prove them are still there.
 *   3. If several map entries name one block, those that may be wrong go into the error state
 *      before any of them gets another block. Otherwise the last one would look sound.
 *   4. Map entries get other blocks while the records that prove their rivals are still there.
 *   5. A flog slot is rewritten in four phases, see repair/blocks.c. A mixture of two records
 *      might name a free block that holds data.
 *   6. Info blocks, descriptor and header come last. If the pool could not be opened because of
 *      them, it cannot be opened before everything else is in order.
 *
 * Changes are planned in another order. Where several of them concern the same bytes, they take
 * effect in the order of their phases, and repair_plan() judges the result of that order.
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
	PLAN_GROW_OLD_COPY = PLAN_MAP, /* over the old info block's copy */
	PLAN_GROW_MOVE =
	    PLAN_FLOG_FIRST_HALVES, /* other new metadata over the old ones */
	/* PLAN_INFO, PLAN_INFO_COPY */
	PLAN_GROW_UNLOCK = PLAN_HEADER,
};

struct plan_change {
	uint64_t off;	/* in the pool image */
	uint32_t len;	/* bytes */
	uint32_t phase; /* enum plan_phase */
	size_t data;	/* index in plan->data of the old bytes; the new ones follow */
};

/* Bytes that decisions were based on. */
struct plan_basis {
	uint64_t off;
	uint64_t len;
};

/* An area whose sum tells whether the pool was used after the plan was carried out. */
struct plan_area {
	uint64_t off;
	uint64_t len; /* whole pages */
	uint64_t sum; /* afterwards, see backup_sum_page() */
};

/*
 * What is stored behind the old end of the file: most of it before the first phase, where it does
 * no harm, and the rest before PLAN_INFO. The file gets its new length first, and is cut off again if
 * the first part fails. The functions return 0 or -errno and have set the message.
 */
struct plan_ahead {
	int (*allocate)(void *arg, struct image *image);
	int (*store)(void *arg, struct storage *s);	 /* durable when it returns 0 */
	int (*store_last)(void *arg, struct storage *s); /* the same */
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
	/* the file first has to get this length; 0: it keeps its own */
	uint64_t extend_to;
	struct uuid parent;		/* the pool's uuid afterwards */
	const struct plan_ahead *ahead; /* NULL: nothing */
	struct plan_area *area;
	size_t narea;

	char **finding;
	size_t nfinding;
	size_t max_findings;   /* further ones are counted, not kept */
	uint64_t findings;     /* all */
	uint64_t lost_blocks;  /* blocks that go into the error state */
	bool cannot_be_mended; /* something is beyond repair */
};

void plan_init(struct plan *plan, size_t max_findings);
void plan_free(struct plan *plan);

/* Notes a damage, and what is going to be done about it or that nothing can be done. */
int plan_note(struct plan *plan, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
int plan_note_hopeless(struct plan *plan, const char *fmt, ...)
    PRINTF_LIKE(2, 3) MUST_CHECK;

/* Prints the findings that were kept to stdout, one a line, at most max of them. */
void plan_print_findings(const struct plan *plan, size_t max);

/* Plans to store len bytes at off, and puts them into the image. */
int plan_store(struct plan *plan, struct image *image, enum plan_phase phase,
	       uint64_t off, const void *bytes, size_t len) MUST_CHECK;

/* The same, but does nothing if the bytes are there already. */
int plan_change(struct plan *plan, struct image *image, enum plan_phase phase,
		uint64_t off, const void *bytes, size_t len) MUST_CHECK;

/* Puts all changes, in the order of planning, into an image that is as the files are. */
void plan_replay(const struct plan *plan, struct image *image);

/* Puts all changes, phase by phase, into an image that is as the files are. */
void plan_replay_phases(const struct plan *plan, struct image *image);

/*
 * Decisions were based on [off, off + len), whole pages: it is made durable before the first
 * change.
 */
int plan_add_basis(struct plan *plan, uint64_t off, uint64_t len) MUST_CHECK;

/* [off, off + len) has this sum afterwards, as long as nobody uses the pool. */
int plan_add_area(struct plan *plan, uint64_t off, uint64_t len, uint64_t sum) MUST_CHECK;

/* --- the bytes that change --------------------------------------------------------------- */

/* The changes of one run of bytes. */
struct plan_range {
	uint64_t off;
	uint64_t len;
	size_t first; /* index in plan_ranges.member */
	size_t n;
};

/* The runs of bytes that the plan changes: ascending, without overlap. */
struct plan_ranges {
	struct plan_range *range;
	size_t n;
	/* indices of changes, for each range in the order of their phases */
	size_t *member;
};

int plan_ranges(const struct plan *plan, struct plan_ranges *ranges) MUST_CHECK;
void plan_ranges_free(struct plan_ranges *ranges);

/* The bytes of range i as they are in the files. bytes has room for its len. */
void plan_range_old(const struct plan *plan, const struct plan_ranges *ranges, size_t i,
		    unsigned char *bytes);

/*
 * Whether some change of range i belongs to the phase. bytes: what the range holds after the
 * phase.
 */
bool plan_range_after(const struct plan *plan, const struct plan_ranges *ranges, size_t i,
		      unsigned phase, unsigned char *bytes);

#endif
