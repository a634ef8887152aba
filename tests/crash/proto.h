/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The write protocol in its plainest form, straight over the storage, with rules that can be
 * left out: the explorer must find what each one is for (test_judge.c). Laid-out pools only.
 */
#ifndef PROTO_H
#define PROTO_H 1

#include "explore.h"

enum proto_mark {
	MARK_NONE,     /* the map line is flushed before each write to an entry in it */
	MARK_PER_LINE, /* only if it was stored to since a fence made it durable */
	MARK_PER_LOCK  /* the same, but one mark for all lines of a lock: wrong */
};

enum proto_reader { READ_CHECKED, READ_ENTRY_ONLY, READ_VERSION_ONLY };

struct rules {
	bool four_step;	 /* data, first half, second half, map entry, a fence each */
	bool late_first; /* both halves between the fences */
	bool swapped;	 /* the second half first */
	bool no_fence1;
	bool no_fence2;
	bool no_flush_entry; /* step 1 does not flush the entry that is logged */
	bool no_flush_prev;  /* nor the slot's previous map update */
	bool no_end_flush;   /* a write does not flush its map store */
	bool no_sync;	     /* closing flushes nothing */
	bool zero_shortcut;  /* a block that reads zero already is not flushed */
	bool trusting_open;  /* recovery trusts what it sees to be durable */
	bool late_version;   /* the version is raised after the lane was released */
	enum proto_mark mark;
	enum proto_reader reader;
};

/* Fills in sut; rules must outlive it. */
void proto_init(struct sut *sut, const char *name, const struct rules *rules);

#endif
