/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * block_store POOL THREADS WRITES
 *
 * Several threads store records in the same blocks at the same time, without locks of their own.
 * Each record has a checksum. So a thread that reads a block can tell that it has one whole
 * record, whichever thread wrote it.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <libpmemblk.h>

#define BLOCK_SIZE 1024
#define NBLOCK 100 /* so few that several threads often use the same block */
#define NPAYLOAD (BLOCK_SIZE / sizeof(uint64_t) - 3)

struct record {
	uint64_t writer; /* from 1; 0: the block was never written */
	uint64_t number;
	uint64_t payload[NPAYLOAD];
	uint64_t checksum;
};

struct worker {
	pthread_t thread;
	PMEMblkpool *pool;
	uint64_t id;
	unsigned long nwrite;
	unsigned long nread;
};

static _Noreturn void die(const char *what, const char *message)
{
	fprintf(stderr, "%s: %s\n", what, message);
	exit(1);
}

static uint64_t checksum(const struct record *r)
{
	uint64_t sum = r->writer * 31 + r->number;

	for (size_t i = 0; i < NPAYLOAD; i++)
		sum = sum * 31 + r->payload[i];
	return sum;
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void store(struct worker *w, uint64_t number, long long block)
{
	struct record r = {.writer = w->id, .number = number};

	for (size_t i = 0; i < NPAYLOAD; i++)
		r.payload[i] = number * i + w->id;
	r.checksum = checksum(&r);
	if (pmemblk_write(w->pool, &r, block) != 0)
		die("write", pmemblk_errormsg());
}

/* Reads a record. Returns 0 if there is none yet. */
static int load(PMEMblkpool *pool, struct record *r, long long block)
{
	if (pmemblk_read(pool, r, block) != 0)
		die("read", pmemblk_errormsg());
	if (r->writer == 0)
		return 0;
	if (r->checksum != checksum(r))
		die("read", "a record is torn");
	return 1;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t random = w->id;
	struct record r;

	for (unsigned long n = 1; n <= w->nwrite; n++) {
		store(w, n, (long long)(next_random(&random) % NBLOCK));
		w->nread += (unsigned long)load(
		    w->pool, &r, (long long)(next_random(&random) % NBLOCK));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long nthread = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned long nwrite = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	unsigned long written = 0, nread = 0;
	struct worker *worker;
	struct record r;
	PMEMblkpool *pool;

	if (nthread == 0 || nwrite == 0 || nthread > 1000) {
		fprintf(stderr, "usage: %s POOL THREADS WRITES\n", argv[0]);
		return 2;
	}
	pool = pmemblk_create(argv[1], sizeof(r), PMEMBLK_MIN_POOL, 0666);
	worker = calloc(nthread, sizeof(*worker));
	if (!pool)
		die("create", pmemblk_errormsg());
	if (!worker)
		die("calloc", "out of memory");

	for (unsigned long i = 0; i < nthread; i++) {
		worker[i].pool = pool;
		worker[i].id = i + 1;
		worker[i].nwrite = nwrite;
		if (pthread_create(&worker[i].thread, NULL, work, &worker[i]) != 0)
			die("pthread_create", "no more threads");
	}
	for (unsigned long i = 0; i < nthread; i++) {
		pthread_join(worker[i].thread, NULL);
		nread += worker[i].nread;
	}
	for (long long b = 0; b < NBLOCK; b++)
		written += (unsigned long)load(pool, &r, b);
	pmemblk_close(pool);
	free(worker);

	printf("%lu threads stored %lu records; %lu blocks hold one, every one that was "
	       "read "
	       "is whole\n",
	       nthread, nthread * nwrite, written);
	return nread > 0 ? 0 : 1;
}
