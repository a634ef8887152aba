/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk/content.h"

#include "guest.h"

enum kind content_kind(uint64_t gen)
{
	if (gen == 0)
		return ZERO;
	switch (mix(gen) % 16) {
	case 0:
		return ZERO;
	case 1:
		return ERROR;
	default:
		return WRITE;
	}
}

void content_fill(uint64_t *buf, size_t bsize, unsigned block, uint64_t gen)
{
	uint64_t seed = mix((uint64_t)block << 48 | gen);

	for (size_t i = 0; i < bsize / 8; i++)
		buf[i] = mix(seed + i);
}
