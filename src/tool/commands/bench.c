/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Measures how fast a pool is on this machine and at this place. It makes a pool for this and
 * removes it afterwards; it touches no other pool.
 */
#include "commands/tool.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libpmemblk.h>

#include "commands/blocks.h"
#include "commands/interrupt.h"
#include "commands/progress.h"
#include "commands/sizes.h"

#define MAX_THREADS 1024u
#define MAX_DEPTH 4096u
#define BUCKETS                                                                          \
	256u /* eight for each power of two of nanoseconds; the last for 16 s and more */

enum job { JOB_FILL, JOB_WRITE, JOB_READ };

struct worker {
	pthread_t thread;
	PMEMblkpool *pool;
	enum job job;
	unsigned number; /* of nworker */
	unsigned nworker;
	unsigned depth; /* blocks in a call */
	uint64_t blocks;
	uint64_t done;
	uint64_t latency[BUCKETS]; /* the number of calls in each bucket of times */
	const char *error;	   /* NULL: none */
};

/* xorshift64*: good enough to choose blocks, and the same in every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned exponent;

	if (ns < 8)
		return (unsigned)ns;
	exponent = 63 - (unsigned)__builtin_clzll(ns);
	if (exponent > 33)
		return BUCKETS - 1;
	return (exponent - 2) * 8 + (unsigned)(ns >> (exponent - 3) & 7);
}

/* The middle of a bucket in nanoseconds. */
static double bucket_time(unsigned bucket)
{
	if (bucket < 8)
		return bucket;
	return (8.5 + bucket % 8) * (double)(UINT64_C(1) << (bucket / 8 - 1));
}

/*
 * Chooses the next n blocks of a worker that has done i of them. Returns how many there are: the
 * last fill may have fewer.
 */
static unsigned choose(const struct worker *w, struct pmemblk_iovec *iov, uint64_t i,
		       unsigned n, uint64_t *random)
{
	uint64_t nblock = pmemblk_nblock(w->pool);
	unsigned k;

	for (k = 0; k < n; k++) {
		uint64_t lba = w->job == JOB_FILL ? (i + k) * w->nworker + w->number
						  : next_random(random) % nblock;

		if (lba >= nblock)
			break;
		iov[k].blockno = (long long)lba;
		if (w->job != JOB_READ)
			memset(iov[k].buf, (int)(i + k), 1);
	}
	return k;
}

/* One block is no vector: the speed of the plain functions is measured. */
static int call(const struct worker *w, const struct pmemblk_iovec *iov, unsigned n)
{
	if (w->job == JOB_READ)
		return w->depth == 1 ? pmemblk_read(w->pool, iov->buf, iov->blockno)
				     : pmemblk_readv(w->pool, iov, n, NULL);
	return w->depth == 1 ? pmemblk_write(w->pool, iov->buf, iov->blockno)
			     : pmemblk_writev(w->pool, iov, n, NULL);
}

static void make_calls(struct worker *w, struct pmemblk_iovec *iov)
{
	uint64_t random = 0x9e3779b97f4a7c15u * (w->number + 1);

	while (w->done < w->blocks) {
		uint64_t left = w->blocks - w->done;
		unsigned n = choose(w, iov, w->done,
				    left < w->depth ? (unsigned)left : w->depth, &random);
		uint64_t begin = progress_now();

		if (n == 0)
			break;
		if (call(w, iov, n) != 0) {
			w->error = strdup(pmemblk_errormsg());
			if (!w->error)
				w->error = "out of memory";
			break;
		}
		w->latency[bucket_of(progress_now() - begin)]++;
		w->done += n;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	size_t bsize = pmemblk_bsize(w->pool);
	char *buf = calloc(w->depth, bsize);
	struct pmemblk_iovec *iov = calloc(w->depth, sizeof(*iov));

	if (buf && iov) {
		memset(buf, 0x5a, w->depth * bsize);
		for (unsigned i = 0; i < w->depth; i++)
			iov[i] = (struct pmemblk_iovec){buf + i * bsize, 0, 1};
		make_calls(w, iov);
	} else {
		w->error = "out of memory";
	}
	free(iov);
	free(buf);
	return NULL;
}

static double percentile(const uint64_t *latency, uint64_t total, double part)
{
	uint64_t seen = 0;

	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += latency[i];
		if ((double)seen >= part * (double)total)
			return bucket_time(i) / 1e3;
	}
	return 0;
}

static void report(const char *name, const struct worker *w, unsigned n, uint64_t ns)
{
	uint64_t latency[BUCKETS] = {0};
	uint64_t total = 0;
	uint64_t ncall = 0;
	double seconds = (double)ns / 1e9;

	for (unsigned i = 0; i < n; i++) {
		total += w[i].done;
		for (unsigned k = 0; k < BUCKETS; k++) {
			latency[k] += w[i].latency[k];
			ncall += w[i].latency[k];
		}
	}
	printf("%-12s %10.0f/s %10.1f MiB/s   median %.2f us, 99 %% below %.2f us\n",
	       name, (double)total / seconds,
	       (double)total * (double)pmemblk_bsize(w->pool) / seconds / 1048576,
	       percentile(latency, ncall, 0.5), percentile(latency, ncall, 0.99));
}

static bool run(const char *name, enum job job, PMEMblkpool *pool, unsigned nthread,
		unsigned depth, uint64_t blocks)
{
	struct worker *w = calloc(nthread, sizeof(*w));
	uint64_t begin = progress_now();
	const char *error = w ? NULL : "out of memory";
	unsigned started = 0;

	while (!error && started < nthread) {
		w[started] = (struct worker){.pool = pool,
					     .job = job,
					     .number = started,
					     .nworker = nthread,
					     .depth = depth,
					     .blocks = blocks / nthread +
						       (started < blocks % nthread)};
		if (pthread_create(&w[started].thread, NULL, work, &w[started]) != 0)
			error = "cannot start a thread";
		else
			started++;
	}
	for (unsigned i = 0; i < started; i++) {
		pthread_join(w[i].thread, NULL);
		if (w[i].error)
			error = w[i].error;
	}
	if (error)
		tool_complain("%s: %s", name, error);
	else
		report(name, w, nthread, progress_now() - begin);
	free(w);
	return !error;
}

static enum tool_status bench(PMEMblkpool *pool, unsigned nthread, unsigned depth,
			      uint64_t operations)
{
	uint64_t fill = pmemblk_nblock(pool);

	printf("%zu blocks of %zu bytes, %u thread%s", pmemblk_nblock(pool),
	       pmemblk_bsize(pool), nthread, nthread == 1 ? "" : "s");
	if (depth > 1)
		printf(", %u blocks in a call", depth);
	printf("\n");
	if (run("first write", JOB_FILL, pool, nthread, depth, fill) &&
	    run("random write", JOB_WRITE, pool, nthread, depth, operations) &&
	    run("random read", JOB_READ, pool, nthread, depth, operations))
		return TOOL_OK;
	return TOOL_FAILED;
}

enum tool_status cmd_bench(const struct tool_command *self, int argc, char **argv)
{
	enum tool_status status;
	uint64_t size = (uint64_t)64 << 20;
	uint64_t bsize = 4096;
	uint64_t threads = 1;
	uint64_t depth = 1;
	uint64_t operations = 100000;
	bool keep = false;
	struct interrupt_file file = {.mode = 0600};
	struct stat st;
	PMEMblkpool *pool;
	const char *path;
	const struct tool_option options[] = {
	    {'b', "block-size", "SIZE", "bytes per block [4K]", TOOL_SIZE, &bsize, 1,
	     UINT32_MAX},
	    {'s', "size", "SIZE", "length of the file [64M]", TOOL_SIZE, &size, 1,
	     INT64_MAX},
	    {'t', "threads", "N", "concurrent threads [1]", TOOL_NUMBER, &threads, 1,
	     MAX_THREADS},
	    {'q', "queue-depth", "N", "blocks that a call writes or reads [1]",
	     TOOL_NUMBER, &depth, 1, MAX_DEPTH},
	    {'n', "operations", "N",
	     "blocks to write, and to read, at random, by all threads\n"
	     "together [100000]; K and M count them as they do bytes",
	     TOOL_SIZE, &operations, 0, UINT64_MAX},
	    {'k', "keep", NULL, "do not remove the pool afterwards", TOOL_FLAG, &keep, 0,
	     0},
	    {0},
	};
	const struct tool_operand operands[] = {{"PATH", &path}, {0}};

	if (!tool_read_arguments(self, argc, argv, options, operands, &status))
		return status;
	if (!sizes_fit(self, bsize, size))
		return TOOL_USAGE;
	file.path = path;
	if (lstat(path, &st) != 0 && errno == ENOENT && !keep)
		interrupt_remove(&file, 1);
	pool = pmemblk_create(path, bsize, size, 0600);
	if (!pool) {
		interrupt_keep();
		tool_complain("%s", pmemblk_errormsg());
		return TOOL_FAILED;
	}
	interrupt_know();
	status = bench(pool, (unsigned)threads, (unsigned)depth, operations);
	pmemblk_close(pool);
	if (!keep && unlink(path) != 0) {
		tool_complain("cannot remove %s: %s", path, strerror(errno));
		status = TOOL_FAILED;
	}
	interrupt_keep();
	return status;
}
