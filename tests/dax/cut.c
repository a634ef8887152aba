/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes blocks until the power is cut, and checks afterwards whether each block is right.
 *
 *	cut prepare KIND PATH BSIZE SIZE JOURNAL THREADS
 *	cut write JOURNAL COUNT		COUNT operations by each thread, or without end with 0
 *	cut verify JOURNAL		prints "OLD NEW": what became of operations in flight;
 *					exits with 3 if a block is neither
 *
 * KIND is a pool (SIZE 0: a device), or in-place: blocks in a file, overwritten where they are.
 *
 * The journal, a file mapped on persistent memory, makes the check exact. Before a thread
 * modifies a block, it records the block and its next generation; when the call has returned, it
 * records that generation as done. So after a power cut each block must have the generation that
 * is done; only a block in flight may have either generation. A generation determines the kind of
 * the operation and each word of the block. This relies on stores that reach the memory when they
 * are executed, as in an emulated machine.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include <libpmem.h>
#include <libpmemblk.h>

#include "disk/content.h"
#include "guest.h"

#define NBLOCK 64
#define MAX_THREADS 8
#define GEN_BITS 48

struct journal {
	_Atomic uint64_t bsize; /* 0 until all is prepared */
	uint64_t nthread;
	uint64_t in_place;
	char path[256];
	_Atomic uint64_t
	    flying[MAX_THREADS];       /* block << GEN_BITS | generation, 0: none yet */
	_Atomic uint64_t done[NBLOCK]; /* 0: never modified */
};

struct target {
	struct journal *journal;
	PMEMblkpool *pool;
	char *memory; /* with in_place */
	long long last;
};

static enum kind kind_of(const struct journal *j, uint64_t gen)
{
	return j->in_place && gen ? WRITE : content_kind(gen);
}

/* The blocks are spread over the whole pool, the first and the last among them. */
static long long place(const struct target *t, unsigned block)
{
	return t->last * block / (NBLOCK - 1);
}

static void *map(const char *path, size_t len)
{
	int is_pmem;
	void *p =
	    pmem_map_file(path, len, len ? PMEM_FILE_CREATE : 0, 0600, NULL, &is_pmem);

	if (!p || !is_pmem)
		die("%s: %s", path, pmem_errormsg());
	return p;
}

static void prepare(const char *kind, const char *path, size_t bsize, size_t size,
		    const char *journal, uint64_t nthread)
{
	struct journal *j = map(journal, sizeof(*j));

	j->bsize = 0;
	memset(j, 0, sizeof(*j));
	j->nthread = nthread;
	j->in_place = strcmp(kind, "in-place") == 0;
	if (strlen(path) >= sizeof(j->path) || nthread > MAX_THREADS || bsize % 8)
		die("%s: wrong arguments", path);
	strcpy(j->path, path);
	if (j->in_place) {
		memset(map(path, NBLOCK * bsize), 0, NBLOCK * bsize);
	} else {
		PMEMblkpool *pool = pmemblk_create(path, bsize, size, 0600);

		if (!pool)
			die("%s: %s", path, pmemblk_errormsg());
		pmemblk_close(pool);
	}
	j->bsize = bsize;
}

static void open_target(struct target *t, const char *journal)
{
	struct journal *j = map(journal, 0);

	if (j->bsize == 0)
		die("%s was not prepared", journal);
	*t = (struct target){.journal = j, .last = NBLOCK - 1};
	if (j->in_place) {
		t->memory = map(j->path, 0);
		return;
	}
	t->pool = pmemblk_open(j->path, j->bsize);
	if (!t->pool)
		die("%s: %s", j->path, pmemblk_errormsg());
	t->last = (long long)pmemblk_nblock(t->pool) - 1;
}

static void modify(const struct target *t, unsigned block, uint64_t gen, uint64_t *buf)
{
	struct journal *j = t->journal;
	int rc;

	switch (kind_of(j, gen)) {
	case ZERO:
		rc = pmemblk_set_zero(t->pool, place(t, block));
		break;
	case ERROR:
		rc = pmemblk_set_error(t->pool, place(t, block));
		break;
	default:
		content_fill(buf, j->bsize, block, gen);
		if (j->in_place) {
			pmem_memcpy_persist(t->memory + block * j->bsize, buf, j->bsize);
			rc = 0;
		} else {
			rc = pmemblk_write(t->pool, buf, place(t, block));
		}
	}
	if (rc != 0)
		die("%s: %s", j->path, pmemblk_errormsg());
}

struct writer {
	pthread_t thread;
	const struct target *target;
	unsigned number;
	uint64_t count;
};

/* Modifies the blocks that are this thread's own. */
static void *run_writer(void *arg)
{
	const struct writer *w = arg;
	struct journal *j = w->target->journal;
	uint64_t *buf = malloc(j->bsize), gen = 0, seed;

	if (!buf)
		die("out of memory");
	for (unsigned block = w->number; block < NBLOCK; block += (unsigned)j->nthread)
		if (j->done[block] > gen)
			gen = j->done[block];
	seed = mix(gen);
	for (uint64_t i = 1; i <= w->count; i++) {
		unsigned own = (unsigned)(mix(seed + i) % (NBLOCK / j->nthread));
		unsigned block = own * (unsigned)j->nthread + w->number;

		gen++;
		/* The check depends on this order. */
		j->flying[w->number] = (uint64_t)block << GEN_BITS | gen;
		modify(w->target, block, gen, buf);
		j->done[block] = gen;
		if (i == 50 && write(STDOUT_FILENO, "ready\n", 6) != 6)
			die("stdout: %s", strerror(errno));
	}
	free(buf);
	return NULL;
}

static void write_blocks(const char *journal, uint64_t count)
{
	struct target t;
	struct writer writer[MAX_THREADS];

	open_target(&t, journal);
	for (unsigned i = 0; i < t.journal->nthread; i++) {
		writer[i] = (struct writer){
		    .target = &t, .number = i, .count = count ? count : UINT64_MAX};
		if (pthread_create(&writer[i].thread, NULL, run_writer, &writer[i]) != 0)
			die("cannot make a thread");
	}
	for (unsigned i = 0; i < t.journal->nthread; i++)
		pthread_join(writer[i].thread, NULL);
	if (t.pool)
		pmemblk_close(t.pool);
}

/* Whether a block, as it was read, is of this generation. */
static bool is_generation(const struct journal *j, const uint64_t *buf, int error,
			  unsigned block, uint64_t gen, uint64_t *want)
{
	switch (kind_of(j, gen)) {
	case ERROR:
		return error == EIO;
	case ZERO:
		memset(want, 0, j->bsize);
		break;
	default:
		content_fill(want, j->bsize, block, gen);
	}
	return error == 0 && memcmp(buf, want, j->bsize) == 0;
}

static int read_block(const struct target *t, long long lba, uint64_t *buf)
{
	size_t bsize = t->journal->bsize;

	if (t->pool)
		return pmemblk_read(t->pool, buf, lba) == 0 ? 0 : errno;
	memcpy(buf, t->memory + (size_t)lba * bsize, bsize);
	return 0;
}

/* The operation that was in flight for a block, or 0. */
static uint64_t flying_at(const struct journal *j, unsigned block)
{
	uint64_t flying = j->flying[block % j->nthread];

	if (flying >> GEN_BITS != block)
		return 0;
	flying &= (UINT64_C(1) << GEN_BITS) - 1;
	return flying == j->done[block] ? 0 : flying;
}

static void verify(const char *journal)
{
	unsigned nold = 0, nnew = 0, nwrong = 0;
	struct target t;
	struct journal *j;
	uint64_t *buf, *want;
	long long lba = 0;

	open_target(&t, journal);
	j = t.journal;
	buf = malloc(j->bsize);
	want = calloc(1, j->bsize);
	if (!buf || !want)
		die("out of memory");
	for (unsigned block = 0; block < NBLOCK; block++, lba++) {
		uint64_t flying = flying_at(j, block);
		int error;

		/* All blocks between were never written. */
		memset(want, 0, j->bsize);
		for (; lba < place(&t, block); lba++)
			if (read_block(&t, lba, buf) != 0 ||
			    memcmp(buf, want, j->bsize) != 0)
				die("%s: block %lld is not zero", j->path, lba);
		error = read_block(&t, lba, buf);
		if (is_generation(j, buf, error, block, j->done[block], want)) {
			nold += flying != 0;
		} else if (flying && is_generation(j, buf, error, block, flying, want)) {
			nnew++;
			j->done[block] = flying;
		} else {
			fprintf(stderr,
				"%s: block %lld is neither generation %" PRIu64
				" nor %" PRIu64 " (error %d)\n",
				j->path, lba, (uint64_t)j->done[block], flying, error);
			nwrong++;
		}
	}
	for (unsigned i = 0; i < MAX_THREADS; i++)
		j->flying[i] = 0;
	if (t.pool)
		pmemblk_close(t.pool);
	if (nwrong)
		exit(3);
	printf("%u %u\n", nold, nnew);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	assert_ours((const void *)(uintptr_t)pmem_map_file);
	assert_ours((const void *)(uintptr_t)pmemblk_open);
	if (!strcmp(command, "prepare") && argc == 8)
		prepare(argv[2], argv[3], number(argv[4]), number(argv[5]), argv[6],
			number(argv[7]));
	else if (!strcmp(command, "write") && argc == 4)
		write_blocks(argv[2], number(argv[3]));
	else if (!strcmp(command, "verify") && argc == 3)
		verify(argv[2]);
	else
		die("usage: see the top of tests/dax/cut.c");
	return 0;
}
