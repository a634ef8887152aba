/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads that work during a slice of a benchmark and sleep between two slices. */
#ifndef WORKERS_H
#define WORKERS_H 1

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "turns.h"

#define WORKERS_MAX 256u

struct worker;

struct workers {
	/* Does some operations and returns their number. */
	uint64_t (*work)(struct worker *w);
	unsigned n;
	uint64_t until; /* when the slice ends, on bench_now() */
	_Atomic(uint32_t) go;
	_Atomic(uint32_t) done;
	_Atomic(uint64_t) ops;
	_Atomic(uint64_t) others;
	_Atomic(uint32_t) busy; /* how many threads did something */
	_Atomic(bool) stop;
	struct worker *worker;
};

struct worker {
	_Alignas(64) struct workers *all; /* threads share no line */
	pthread_t thread;
	unsigned number; /* from 0 */
	uint64_t seed;
	/* In this slice; work may set them, see struct turns_sample. */
	uint64_t others;
	uint64_t worst;
	unsigned char *buf; /* bytes for one block, aligned */
	void *state;
};

void workers_start(struct workers *all, unsigned n, size_t bsize, void *state,
		   uint64_t (*work)(struct worker *w));
void workers_run(struct workers *all, uint64_t ns, struct turns_sample *sample);
void workers_end(struct workers *all);

#endif
