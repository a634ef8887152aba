/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The low sum adds up the words, and the high sum adds up the low sums. If n words with the sums
 * (l, h) are appended to words with the sums (lo, hi), the sums of all are (lo + l,
 * hi + n * lo + h). Therefore zeros need no loop.
 *
 * A loop that adds word by word waits for each addition. So a row of words is added at a time, and
 * each of its columns has sums of its own. The high sum counts a word once for itself and once for
 * each word behind it. A word of column c that has n - 1 rows behind it is counted n times by the
 * column's high sum, and has to be counted COLUMNS * n - c times.
 */
#include "base/fletcher64.h"

#include <string.h>

#include "base/le.h"

#define LANES 4u
#define VECTORS 2u
#define COLUMNS (LANES * VECTORS)

typedef uint32_t vector __attribute__((vector_size(LANES * sizeof(uint32_t))));

static inline vector to_cpu(vector v)
{
	for (unsigned i = 0; BYTE_ORDER != LITTLE_ENDIAN && i < LANES; i++)
		v[i] = le32toh(v[i]);
	return v;
}

struct sums {
	uint32_t lo;
	uint32_t hi;
};

static void append(struct sums *s, uint32_t lo, uint32_t hi, size_t nword)
{
	s->hi += (uint32_t)nword * s->lo + hi;
	s->lo += lo;
}

static void append_rows(struct sums *s, const unsigned char *p, size_t nrow)
{
	vector lo[VECTORS] = {{0}};
	vector hi[VECTORS] = {{0}};
	struct sums all = {0, 0};

	for (size_t row = 0; row < nrow; row++) {
#pragma GCC unroll 2
		for (unsigned v = 0; v < VECTORS; v++) {
			vector words;

			memcpy(&words, p, sizeof(words));
			p += sizeof(words);
			lo[v] += to_cpu(words);
			hi[v] += lo[v];
		}
	}
	for (unsigned c = 0; c < COLUMNS; c++) {
		uint32_t l = lo[c / LANES][c % LANES];

		all.lo += l;
		all.hi += COLUMNS * hi[c / LANES][c % LANES] - c * l;
	}
	append(s, all.lo, all.hi, nrow * COLUMNS);
}

static void append_bytes(struct sums *s, const unsigned char *p, size_t len)
{
	size_t nrow = len / (COLUMNS * sizeof(le32));

	append_rows(s, p, nrow);
	for (size_t off = nrow * COLUMNS * sizeof(le32); off < len; off += sizeof(le32)) {
		le32 word;

		memcpy(&word, p + off, sizeof(word));
		append(s, le32_to_cpu(word), le32_to_cpu(word), 1);
	}
}

uint64_t fletcher64(const void *buf, size_t len, size_t field_off, size_t skip_off)
{
	size_t end = skip_off && skip_off < len ? skip_off : len;
	size_t field = field_off < end ? field_off : end;
	size_t behind = end - field > 8 ? field + 8 : end;
	struct sums s = {0, 0};

	append_bytes(&s, buf, field);
	append(&s, 0, 0, (behind - field) / sizeof(le32));
	append_bytes(&s, (const unsigned char *)buf + behind, end - behind);
	append(&s, 0, 0, (len - end) / sizeof(le32));
	return (uint64_t)s.hi << 32 | s.lo;
}
