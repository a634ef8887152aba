/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The write protocol in its simplest form, directly on the storage. Each rule can be left out;
 * then the explorer must find a violation (test_judge.c). For laid-out pools only.
 */
#ifndef PROTO_H
#define PROTO_H 1

#include "explore.h"

enum proto_mark {
	MARK_NONE, /* the map line is flushed before each write to an entry in it */
	MARK_PER_LINE, /* it is flushed only if there was a store to it since a fence made it durable */
	MARK_PER_LOCK /* the same, but one mark for all lines of a lock: wrong */
};

enum proto_reader { READ_CHECKED, READ_ENTRY_ONLY, READ_VERSION_ONLY };

struct rules {
	/* data, first half, second half, map entry, with a fence after each */
	bool four_step;
	bool late_first; /* both halves between the fences */
	bool swapped;	 /* the second half first */
	bool no_fence1;
	bool no_fence2;
	bool no_flush_entry; /* step 1 does not flush the entry that is logged */
	bool no_flush_prev;  /* step 1 does not flush the slot's previous map update */
	bool no_end_flush;   /* a write does not flush its map store */
	bool no_sync;	     /* closing flushes nothing */
	bool zero_shortcut;  /* set_zero of a block that is zero already does not flush */
	bool trusting_open;  /* recovery takes every value that it sees for durable */
	bool late_version;   /* the version is raised after the lane was released */
	enum proto_mark mark;
	enum proto_reader reader;
};

/* Fills in sut; rules must outlive it. */
void proto_init(struct sut *sut, const char *name, const struct rules *rules);

#endif
