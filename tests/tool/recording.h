/* SPDX-License-Identifier: BSD-3-Clause */
/* Records the stores to a storage, and leaves in a pool what a power cut may leave of them. */
#ifndef RECORDING_H
#define RECORDING_H 1

#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "storage/storage.h"

#define FEW_WORDS 4

struct store {
	uint64_t off;
	size_t len;
	unsigned char *bytes;
	unsigned step; /* fences before it */
};

struct recording {
	struct store store[8192];
	size_t n;
	unsigned nfence;
};

static struct recording *rec; /* the one that is being made */

static inline void record(struct storage *s, struct storage_step *step, uint64_t off,
			  const void *src, size_t len)
{
	struct store *store = &rec->store[rec->n++];

	(void)step;
	assert_true(rec->n < sizeof(rec->store) / sizeof(rec->store[0]));
	*store = (struct store){off, len, malloc(len), rec->nfence};
	assert_non_null(store->bytes);
	memcpy(store->bytes, src, len);
	memcpy(s->base + off, src, len);
}

/* A renewal must not change the bytes. */
static inline void keep(struct storage *s, struct storage_step *step, uint64_t off,
			const void *seen, size_t len)
{
	(void)step;
	assert_memory_equal(s->base + off, seen, len);
}

static inline int count_fence(struct storage *s, struct storage_step *step)
{
	(void)s;
	(void)step;
	rec->nfence++;
	return 0;
}

static const struct storage_ops recording = {
    .copy_out = memcpy,
    .write = record,
    .renew = keep,
    .fence = count_fence,
};

static inline void start_recording(struct recording *r)
{
	while (r->n > 0)
		free(r->store[--r->n].bytes);
	r->nfence = 0;
	rec = r;
}

static inline size_t words_of(const struct recording *r, unsigned step)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->store[i].step == step)
			n += (r->store[i].len + 7) / 8;
	return n;
}

/*
 * Stores into p what power cut number `cut` in this step leaves: all stores of earlier steps, and
 * some words of this one. If the step has only a few words, the cuts go through all choices of
 * them. Otherwise the words are chosen at random; every third cut takes all up to some word.
 */
static inline void apply_words(const struct recording *r, unsigned char *p, unsigned step,
			       unsigned cut, uint64_t *random)
{
	size_t total = words_of(r, step);
	bool few = total <= FEW_WORDS;
	size_t run = cut % 3 == 2 ? support_random(random) % (total + 1) : SIZE_MAX;

	for (size_t k = 0; k < r->n; k++) {
		const struct store *s = &r->store[k];

		if (s->step < step)
			memcpy(p + s->off, s->bytes, s->len);
		for (size_t i = 0; s->step == step && i < s->len; i += 8, total--) {
			size_t n = s->len - i < 8 ? s->len - i : 8;
			bool taken = few	       ? cut & 1
				     : run != SIZE_MAX ? total > run
						       : support_random(random) & 1;

			if (taken)
				memcpy(p + s->off + i, s->bytes + i, n);
			cut = few ? cut >> 1 : cut;
		}
	}
}

#endif
