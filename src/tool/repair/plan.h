/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a repair is going to do: findings in words, and changes of bytes. Changes are tried
 * on a private image as they are planned, so that what is decided later, and the check at
 * the end, see them; the files are touched by plan_apply() alone.
 *
 * Changes are made durable phase by phase. Power may fail between any two stores, and what
 * then stands in the files has to be no worse than the damage was, and to lead the next
 * repair to the same end:
 *
 *   - Before everything else, what the decisions were based on (maps and flogs) is made durable.
 *   - A flog slot is rewritten in four phases, see repair/blocks.c, because a mixture of two
 *     records might name a free block that holds data.
 *   - Map entries of which one at most is right go into the error state, all of them, before
 *     any is given another block: the one left over would look sound.
 *   - Info blocks, descriptor and header come last: a pool that could not be opened because
 *     of them cannot be opened before everything else is in order.
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
	PLAN_FLOG_FIRST_HALVES,
	PLAN_FLOG_SECOND_HALVES,
	PLAN_FLOG_SEQUENCE,
	PLAN_FLOG_CLEAN,
	PLAN_MAP_MARK,
	PLAN_MAP,
	PLAN_INFO,
	PLAN_INFO_COPY,
	PLAN_HEADER,
	PLAN_NPHASE,
};

struct plan_change {
	uint64_t off;	/* in the pool image */
	uint32_t len;	/* bytes */
	uint32_t phase; /* enum plan_phase */
	size_t data;	/* where in plan->data the old bytes are; the new ones follow */
};

struct plan_range {
	uint64_t off;
	uint64_t len;
};

struct plan {
	struct plan_change *change;
	size_t nchange;
	unsigned char *data;
	size_t ndata;
	size_t room; /* of data, bytes */

	struct plan_range *basis; /* what decisions were based on */
	size_t nbasis;
	uint64_t extend_to; /* the file has to grow to this length first; 0: not */

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

/* The findings on stdout, one a line. */
void plan_print_findings(const struct plan *plan);

/* Plans len new bytes at off and puts them into the image; nothing if they are there. */
int plan_change(struct plan *plan, struct image *image, enum plan_phase phase,
		uint64_t off, const void *bytes, size_t len) MUST_CHECK;

/* Puts all changes into an image that is as the files are. */
void plan_replay(const struct plan *plan, struct image *image);

/* [off, off + len), whole pages, has to be durable before the first change. */
int plan_add_basis(struct plan *plan, uint64_t off, uint64_t len) MUST_CHECK;

/*
 * The ranges that the plan changes, ascending and apart from each other. old and new
 * receive range i's bytes before and after; they hold its len bytes.
 */
int plan_ranges(const struct plan *plan, struct plan_range **range, size_t *n) MUST_CHECK;
void plan_old_bytes(const struct plan *plan, const struct plan_range *range,
		    unsigned char *old);
void plan_new_bytes(const struct plan *plan, const struct plan_range *range,
		    unsigned char *bytes);

/*
 * The stores of the plan, phase by phase, to a storage that is as the files are. Durable
 * when it returns 0.
 */
int plan_store(const struct plan *plan, struct storage *s) MUST_CHECK;

/* Carries the plan out, on the image's open files. Durable when it returns 0. */
int plan_apply(const struct plan *plan, struct image *image) MUST_CHECK;

#endif
