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

/* Is told how many bytes of metadata were stored ahead; false stops the grow: nothing changes. */
struct grow_watch {
	bool (*go_on)(void *arg, uint64_t done);
	void *arg;
};

struct grow {
	struct image *image;
	uint64_t length; /* of the file afterwards, bytes */
	uint64_t nblock_before;
	uint64_t nblock;	/* afterwards */
	bool is_laid_out;	/* else the pool only gets longer */
	struct btt_found found; /* the arenas as they are */
	struct metadata metadata;
	struct btt_info_media last;	/* new info block of the last arena of found */
	uint64_t image_end;		/* of the old file, rounded up to pages */
	uint64_t nstore;		/* bytes that are stored behind that */
	const struct grow_watch *watch; /* NULL: nobody wants to know */
	struct plan_ahead ahead;
};

/*
 * Plans the changes of a pool that is laid out; the plan refers to grow. The image is used up:
 * refresh it.
 */
int grow_plan(struct grow *grow, struct plan *plan) MUST_CHECK;

/* Gives a pool without a layout its length; if that fails, the file is as it was. */
int grow_lengthen(struct grow *grow) MUST_CHECK;

#endif
