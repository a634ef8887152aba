/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/fletcher64.h"

#include <string.h>

#include "base/le.h"

uint64_t fletcher64(const void *buf, size_t len, size_t field_off, size_t skip_off)
{
	const unsigned char *p = buf;
	uint32_t lo = 0;
	uint32_t hi = 0;

	for (size_t off = 0; off < len; off += 4) {
		le32 word;

		memcpy(&word, p + off, sizeof(word));
		if (skip_off && off >= skip_off)
			word.raw = 0;
		if (field_off != FLETCHER64_NO_FIELD && off >= field_off &&
		    off - field_off < 8)
			word.raw = 0;
		lo += le32_to_cpu(word);
		hi += lo;
	}
	return (uint64_t)hi << 32 | lo;
}
