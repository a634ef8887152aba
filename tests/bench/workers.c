/* SPDX-License-Identifier: BSD-3-Clause */
#include "workers.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

static void wait_while(_Atomic(uint32_t) *word, uint32_t value)
{
	while (atomic_load(word) == value)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake(_Atomic(uint32_t) *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1000, NULL, NULL, 0);
}

static void *serve(void *arg)
{
	struct worker *w = arg;
	struct workers *all = w->all;
	uint32_t seen = 0;

	for (;;) {
		uint64_t ops = 0;

		wait_while(&all->go, seen);
		seen++;
		if (atomic_load(&all->stop))
			return NULL;
		w->others = 0;
		w->worst = 0;
		do
			ops += all->work(w);
		while (bench_now() < all->until);
		atomic_fetch_add(&all->ops, ops);
		atomic_fetch_add(&all->others, w->others);
		atomic_fetch_add(&all->busy, ops + w->others > 0);
		atomic_fetch_add(&all->done, 1);
		wake(&all->done);
	}
}

void workers_start(struct workers *all, unsigned n, size_t bsize, void *state,
		   uint64_t (*work)(struct worker *w))
{
	*all = (struct workers){.work = work, .n = n};
	all->worker = aligned_alloc(64, n * sizeof(*all->worker));
	if (!all->worker)
		bench_die("threads", "out of memory");
	for (unsigned i = 0; i < n; i++) {
		struct worker *w = &all->worker[i];

		*w = (struct worker){.all = all,
				     .number = i,
				     .seed = 0x9e3779b97f4a7c15u * (i + 1),
				     .state = state};
		w->buf = aligned_alloc(4096, (bsize + 4095) / 4096 * 4096);
		if (!w->buf)
			bench_die("threads", "out of memory");
		memset(w->buf, 0x5a, bsize);
		if (pthread_create(&w->thread, NULL, serve, w) != 0)
			bench_die("threads", "cannot be made");
	}
}

void workers_run(struct workers *all, uint64_t ns, struct turns_sample *sample)
{
	uint64_t start = bench_now();
	uint32_t done;

	all->until = start + ns;
	atomic_store(&all->ops, 0);
	atomic_store(&all->others, 0);
	atomic_store(&all->busy, 0);
	atomic_store(&all->done, 0);
	atomic_fetch_add(&all->go, 1);
	wake(&all->go);
	while ((done = atomic_load(&all->done)) < all->n)
		wait_while(&all->done, done);
	*sample = (struct turns_sample){.ops = atomic_load(&all->ops),
					.ns = bench_now() - start,
					.threads = atomic_load(&all->busy),
					.others = atomic_load(&all->others)};
	for (unsigned i = 0; i < all->n; i++)
		if (all->worker[i].worst > sample->worst)
			sample->worst = all->worker[i].worst;
}

void workers_end(struct workers *all)
{
	atomic_store(&all->stop, true);
	atomic_fetch_add(&all->go, 1);
	wake(&all->go);
	for (unsigned i = 0; i < all->n; i++) {
		pthread_join(all->worker[i].thread, NULL);
		free(all->worker[i].buf);
	}
	free(all->worker);
}
