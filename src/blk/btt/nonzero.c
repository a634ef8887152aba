/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/nonzero.h"

#include <stdbool.h>

#include "btt/format.h"

static bool all_zero(const unsigned char *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Number of zeros that p begins with, len at most. */
static size_t count_zeros(const unsigned char *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] == 0)
		n++;
	return n;
}

uint64_t btt_nonzero_find(struct storage *s, uint64_t off, uint64_t end)
{
	while ((off = storage_next_data(s, off, end)) < end) {
		uint64_t stop = (off / BTT_PAGE + 1) * BTT_PAGE;
		const unsigned char *p = storage_at(s, off);

		if (stop > end)
			stop = end;
		/* the owner of a pool that is only viewed may clear the page meanwhile */
		if (!all_zero(p, stop - off))
			off += count_zeros(p, stop - off);
		else
			off = stop;
		if (off < stop)
			return off;
	}
	return end;
}
