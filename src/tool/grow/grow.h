/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making a pool larger. The rules, and the order of the stores, are on top of grow/grow.c.
 * Functions that return int return 0 or -errno and have set the message.
 */
#ifndef GROW_H
#define GROW_H 1

#include "btt/find.h"
#include "grow/metadata.h"
#include "repair/apply.h"
#include "repair/plan.h"

/*
 * go_on() is called with the number of bytes that were stored ahead so far. If it returns false,
 * the grow ends, and the pool stays unchanged.
 */
struct grow_watch {
	bool (*go_on)(void *arg, uint64_t done);
	void *arg;
};

struct grow {
	struct image *image;
	uint64_t length; /* of the file afterwards, bytes */
	uint64_t nblock_before;
	uint64_t nblock;	/* afterwards */
	bool is_laid_out;	/* false: only the file becomes longer */
	struct btt_found found; /* the arenas as they are */
	struct metadata metadata;
	struct btt_info_media last; /* new info block of the last arena of found */
	uint64_t image_end;	    /* end of the old file, rounded up to pages */
	/* number of bytes that are stored ahead, behind image_end */
	uint64_t nstore;
	const struct grow_watch *watch; /* NULL: none */
	struct plan_ahead ahead;
};

/*
 * Plans the changes of a pool that has a layout. The plan refers to *grow. The caller refreshes
 * the image afterwards.
 */
int grow_plan(struct grow *grow, struct plan *plan) MUST_CHECK;

/* Gives a pool without a layout its new length. If this fails, the file keeps its old one. */
int grow_lengthen(struct grow *grow) MUST_CHECK;

#endif
