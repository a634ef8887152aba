/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	judge ours|original NOTES PATH
 *
 * Opens with that library what a power loss left of a pool. Fails unless each tracked block holds
 * what the notes allow and all others are zero, and unless this stays true while the program
 * writes more.
 */
#include "disk/model.h"
#include "guest.h"

/* Of the blocks that were never written, one of so many is checked. */
#define STEP 31
#define NMORE 6

static int seen[NTRACKED]; /* the outcome of each tracked block */

static bool is_tracked(const struct target *t, long long lba)
{
	for (unsigned block = 0; block < NTRACKED; block++)
		if (model_place(t, block) == lba)
			return true;
	return false;
}

/* The number of blocks that are wrong. */
static unsigned verify_tracked(const struct target *t, const struct notes *notes,
			       bool again)
{
	uint64_t buf[MAX_BSIZE / 8];
	unsigned nwrong = 0;

	for (unsigned block = 0; block < NTRACKED; block++) {
		int error = target_read(t, model_place(t, block), buf);
		int outcome = model_outcome(notes, block, buf, error);

		if (outcome >= 0 && (!again || outcome == seen[block])) {
			seen[block] = outcome;
			continue;
		}
		fprintf(stderr, "block %lld is none of", model_place(t, block));
		for (unsigned i = 0; i < notes->block[block].n; i++)
			fprintf(stderr, " %lu",
				(unsigned long)notes->block[block].gen[i]);
		fprintf(stderr, " (%s%s)\n", error ? strerror(error) : "other data",
			again ? ", after more writes" : "");
		nwrong++;
	}
	return nwrong;
}

static unsigned verify_untouched(const struct target *t)
{
	uint64_t buf[MAX_BSIZE / 8];
	unsigned nwrong = 0;

	for (long long lba = 1; lba <= t->last; lba += STEP) {
		int error = target_read(t, lba, buf);

		if (is_tracked(t, lba))
			continue;
		for (size_t i = 0; i < t->bsize / 8 && !error; i++)
			if (buf[i])
				error = ERANGE;
		if (error) {
			fprintf(stderr,
				"block %lld was never written, but is not zero (%s)\n",
				lba, strerror(error));
			nwrong++;
		}
	}
	return nwrong;
}

/* Writes to unused blocks: with a wrong list of free blocks this would change other blocks. */
static unsigned write_more(const struct target *t)
{
	uint64_t buf[MAX_BSIZE / 8], got[MAX_BSIZE / 8];
	unsigned nwrong = 0;

	memset(buf, 0xa5, t->bsize);
	for (long long i = 0, lba = NTRACKED; i < NMORE; i++, lba += 3) {
		while (is_tracked(t, lba))
			lba++;
		if (pmemblk_write(t->pool, buf, lba) != 0 ||
		    target_read(t, lba, got) != 0 || memcmp(buf, got, t->bsize) != 0) {
			fprintf(stderr, "block %lld cannot be written: %s\n", lba,
				pmemblk_errormsg());
			nwrong++;
		}
	}
	return nwrong;
}

static void check(const char *path, size_t bsize, const char *when)
{
	int rc = pmemblk_check(path, bsize);

	if (rc != 1)
		die("pmemblk_check is %d %s: %s", rc, when, pmemblk_errormsg());
}

static void count(struct notes *notes)
{
	for (unsigned block = 0; block < NTRACKED; block++)
		if (notes->block[block].n > 1)
			*(seen[block] == 0 ? &notes->nold : &notes->nnew) += 1;
}

int main(int argc, char **argv)
{
	struct notes *notes;
	struct target t;
	int error;

	if (argc != 4)
		die("usage: judge ours|original NOTES PATH");
	assert_library((const void *)(uintptr_t)pmemblk_open, argv[1]);
	notes = notes_map(argv[2]);
	if (notes->created && !notes->in_place)
		check(argv[3], notes->bsize, "at first");
	error = target_open(&t, argv[3], notes->bsize, notes->in_place);
	if (error && !notes->created)
		return 0;
	if (error)
		die("not opened: %s", pmemblk_errormsg());
	if (verify_tracked(&t, notes, false) != 0)
		return 3;
	count(notes);
	if (notes->in_place)
		return 0;
	if (verify_untouched(&t) + write_more(&t) + verify_tracked(&t, notes, true) != 0)
		return 3;
	target_close(&t);
	check(argv[3], notes->bsize, "in the end");
	return 0;
}
