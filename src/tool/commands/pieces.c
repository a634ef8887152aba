/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each thread has one piece at a time, and waits with it for its turn to put it. So there are as
 * many pieces in memory as threads. Taking and putting have separate locks: a thread that waits
 * for input while it takes a piece does not delay a thread that puts one.
 */
#include "commands/pieces.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The most bytes of all pieces together, unless there is only one. */
#define MAX_MEMORY ((size_t)256 << 20)

#define MAX_THREADS 64u

struct run {
	const struct pieces_job *job;
	pthread_mutex_t take_lock;
	uint64_t ntaken; /* guarded by take_lock */
	pthread_mutex_t put_lock;
	pthread_cond_t turn;
	uint64_t nput;		   /* guarded by put_lock */
	_Atomic(bool) end;	   /* no more pieces are taken */
	bool failed;		   /* no more pieces are put; guarded by put_lock */
	_Atomic(unsigned) nworker; /* the number of threads that got memory */
};

static bool take(struct run *run, struct piece *piece)
{
	bool taken;

	pthread_mutex_lock(&run->take_lock);
	taken = !atomic_load(&run->end) && run->job->take(run->job->arg, piece);
	if (taken)
		piece->number = run->ntaken++;
	else
		atomic_store(&run->end, true);
	pthread_mutex_unlock(&run->take_lock);
	return taken;
}

static void put(struct run *run, const struct piece *piece)
{
	pthread_mutex_lock(&run->put_lock);
	while (run->nput != piece->number)
		pthread_cond_wait(&run->turn, &run->put_lock);
	if (!run->failed && !run->job->put(run->job->arg, piece)) {
		run->failed = true;
		atomic_store(&run->end, true);
	}
	run->nput++;
	pthread_cond_broadcast(&run->turn);
	pthread_mutex_unlock(&run->put_lock);
}

static void *work(void *arg)
{
	struct run *run = arg;
	struct piece piece = {.buf = malloc(run->job->piece_size)};

	if (!piece.buf)
		return NULL;
	atomic_fetch_add(&run->nworker, 1);
	while (take(run, &piece)) {
		run->job->work(run->job->arg, &piece);
		put(run, &piece);
	}
	free(piece.buf);
	return NULL;
}

bool pieces_run(const struct pieces_job *job)
{
	struct run run = {.job = job,
			  .take_lock = PTHREAD_MUTEX_INITIALIZER,
			  .put_lock = PTHREAD_MUTEX_INITIALIZER,
			  .turn = PTHREAD_COND_INITIALIZER};
	pthread_t thread[MAX_THREADS];
	size_t most = MAX_MEMORY / job->piece_size;
	unsigned n = 0;

	/* This thread works, too. If a thread cannot be started, the others do the work. */
	while (n + 1 < job->nthread && n + 1 < most && n < MAX_THREADS &&
	       pthread_create(&thread[n], NULL, work, &run) == 0)
		n++;
	work(&run);
	while (n > 0)
		pthread_join(thread[--n], NULL);
	return atomic_load(&run.nworker) != 0;
}
