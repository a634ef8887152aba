/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records the operations of a test program, and tells what each block may hold after a crash.
 *
 * The rule: a completed operation is never lost; an operation that was under way has happened or
 * not. Of two operations on the same block, the one whose map store was later comes later; an
 * operation of a later process always does.
 */
#ifndef HISTORY_H
#define HISTORY_H 1

#include <stdbool.h>
#include <stdint.h>

#define NTRACKED 4u /* blocks that the programs use */
#define NPHASE 3u   /* processes, one after the other */
#define NTHREAD 3u
#define NOP 4u /* operations of a thread */
#define NPAST (NPHASE * NTHREAD * NOP)

/*
 * Contents of a block. Each write has a content of its own. Its number is also its bit in masks.
 */
enum {
	VALUE_ZERO,
	VALUE_ERROR,
	VALUE_FIRST,			  /* of the operation with index 0 */
	VALUE_BASE = VALUE_FIRST + NPAST, /* written before the program began */
	VALUE_EXTRA = VALUE_BASE + NTRACKED,
	VALUE_COUNT,
	VALUE_GARBAGE = 255
};

/* w write, z set_zero, e set_error, r read, s sync */
struct op {
	char kind;
	unsigned char block; /* index of a tracked block */
	unsigned char lane;  /* the lane to ask for */
	bool joined;	     /* the next one is part of the same call */
	bool last; /* of its thread; the next one is of a thread with the same number */
};

struct program {
	unsigned nthread;
	unsigned nop[NTHREAD];
	struct op op[NTHREAD][NOP];
};

/*
 * "w01 z1 | e00": two threads; the digits are block and lane. "w01+2+0" writes three blocks in one
 * call, "z0+1" zeroes all blocks from the first to the last, of which the tracked ones are listed.
 * "w00; w10": the thread ends after the first operation, and a new thread gets its number.
 * Aborts on bad text.
 */
void program_parse(struct program *p, const char *text);

/* How many operations the call that begins with this one consists of. */
unsigned program_call_length(const struct op *op);

enum past_state { PAST_NONE, PAST_RUNNING, PAST_DONE, PAST_FAILED };

struct past {
	struct op op;
	enum past_state state;
	unsigned phase;
	/* the position of its map store in time; 0: not done yet, or not needed */
	unsigned pos;
	uint64_t reads; /* what a read may return */
};

struct history {
	struct past past[NPAST];
	unsigned clock;
	unsigned phase;
	unsigned char initial[NTRACKED]; /* contents before all operations */
	unsigned char visible[NTRACKED];
	/* the position of the last map store of ZERO and of ERROR */
	unsigned flag_pos[NTRACKED][2];
	/* what a later process than that of the operation has read */
	struct {
		unsigned char value;
		unsigned phase; /* of the process that has read it; 0: none */
	} seen[NTRACKED];
};

void history_init(struct history *h, const unsigned char initial[NTRACKED]);

/* Index of an operation in past[]. */
unsigned history_index(unsigned phase, unsigned thread, unsigned op);

/* The content that an operation leaves. */
unsigned char history_value(const struct history *h, unsigned index);

void history_begin(struct history *h, unsigned index, const struct op *op);
void history_stored(struct history *h, unsigned index); /* it stored its map entry */
void history_end(struct history *h, unsigned index, bool ok);

/* Whether a modifying operation was completed, in any process. */
bool history_done(const struct history *h);

/* Whether a modifying operation of this process has failed. */
bool history_failed(const struct history *h);

/* The process has ended; another one begins. */
void history_restart(struct history *h);

/*
 * The process has opened the pool and read this value. From now on the value stays, even if its
 * operation was not completed. The exception is a flag whose set_zero or set_error was cut off
 * by a kill, also if a later call has found it set and failed: nobody knows what was there before.
 */
void history_see(struct history *h, unsigned block, unsigned char value);

/* Bits of the contents that a block may have after a crash at this moment. */
uint64_t history_allowed(const struct history *h, unsigned block);

#endif
