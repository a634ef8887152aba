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
#define BUCKETS 256u /* eight buckets for each power of two of nanoseconds */

enum job { JOB_FILL, JOB_WRITE, JOB_READ };

struct worker {
	pthread_t thread;
	PMEMblkpool *pool;
	enum job job;
	unsigned number; /* of nworker */
	unsigned nworker;
	uint64_t operations;
	uint64_t done;
	uint64_t latency[BUCKETS]; /* the number of operations in each bucket of times */
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
	exponent = exponent > 33 ? 33 : exponent;
	return (exponent - 2) * 8 + (unsigned)(ns >> (exponent - 3) & 7);
}

/* The middle of a bucket in nanoseconds. */
static double bucket_time(unsigned bucket)
{
	if (bucket < 8)
		return bucket;
	return (8.5 + bucket % 8) * (double)(UINT64_C(1) << (bucket / 8 - 1));
}

static int do_operation(const struct worker *w, void *buf, uint64_t i, uint64_t *random)
{
	uint64_t nblock = pmemblk_nblock(w->pool);
	long long lba = (long long)(next_random(random) % nblock);

	switch (w->job) {
	case JOB_FILL:
		lba = (long long)(i * w->nworker + w->number);
		if (lba >= (long long)nblock)
			return 0;
		break;
	case JOB_READ:
		return pmemblk_read(w->pool, buf, lba);
	case JOB_WRITE:
		break;
	}
	memcpy(buf, &i, sizeof(i) < pmemblk_bsize(w->pool) ? sizeof(i) : 1);
	return pmemblk_write(w->pool, buf, lba);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t random = 0x9e3779b97f4a7c15u * (w->number + 1);
	char *buf = malloc(pmemblk_bsize(w->pool));

	if (!buf) {
		w->error = "out of memory";
		return NULL;
	}
	memset(buf, 0x5a, pmemblk_bsize(w->pool));
	for (uint64_t i = 0; i < w->operations; i++) {
		uint64_t begin = progress_now();

		if (do_operation(w, buf, i, &random) != 0) {
			w->error = strdup(pmemblk_errormsg());
			if (!w->error)
				w->error = "out of memory";
			break;
		}
		w->latency[bucket_of(progress_now() - begin)]++;
		w->done++;
	}
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
	double seconds = (double)ns / 1e9;

	for (unsigned i = 0; i < n; i++) {
		total += w[i].done;
		for (unsigned k = 0; k < BUCKETS; k++)
			latency[k] += w[i].latency[k];
	}
	printf("%-12s %10.0f/s %10.1f MiB/s   median %.2f us, 99 %% below %.2f us\n",
	       name, (double)total / seconds,
	       (double)total * (double)pmemblk_bsize(w->pool) / seconds / 1048576,
	       percentile(latency, total, 0.5), percentile(latency, total, 0.99));
}

static bool run(const char *name, enum job job, PMEMblkpool *pool, unsigned nthread,
		uint64_t operations)
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
					     .operations = operations / nthread};
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

static enum tool_status bench(PMEMblkpool *pool, unsigned nthread, uint64_t operations)
{
	uint64_t fill = pmemblk_nblock(pool) + nthread - 1;

	printf("%zu blocks of %zu bytes, %u thread%s\n", pmemblk_nblock(pool),
	       pmemblk_bsize(pool), nthread, nthread == 1 ? "" : "s");
	if (run("first write", JOB_FILL, pool, nthread, fill) &&
	    run("random write", JOB_WRITE, pool, nthread, operations) &&
	    run("random read", JOB_READ, pool, nthread, operations))
		return TOOL_OK;
	return TOOL_FAILED;
}

enum tool_status cmd_bench(const struct tool_command *self, int argc, char **argv)
{
	enum tool_status status;
	uint64_t size = (uint64_t)64 << 20;
	uint64_t bsize = 4096;
	uint64_t threads = 1;
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
	    {'n', "operations", "N",
	     "random writes, and reads, of all threads together\n[100000]; K and M count "
	     "them as they do bytes",
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
	status = bench(pool, (unsigned)threads, operations);
	pmemblk_close(pool);
	if (!keep && unlink(path) != 0) {
		tool_complain("cannot remove %s: %s", path, strerror(errno));
		status = TOOL_FAILED;
	}
	interrupt_keep();
	return status;
}
