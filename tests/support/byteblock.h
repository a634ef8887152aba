/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks of 512 equal bytes, so that the contents of a block are one number. */
#ifndef BYTEBLOCK_H
#define BYTEBLOCK_H 1

#include <libpmemblk.h>
#include <string.h>

/* Returns what pmemblk_write returns. */
static inline int byteblock_put(PMEMblkpool *p, long long lba, int byte)
{
	char block[512];

	memset(block, byte, sizeof(block));
	return pmemblk_write(p, block, lba);
}

/*
 * Returns the byte that fills a block; -1 if the block cannot be read or holds different bytes.
 */
static inline int byteblock_get(PMEMblkpool *p, long long lba)
{
	unsigned char block[512];

	if (pmemblk_read(p, block, lba) != 0)
		return -1;
	for (size_t i = 1; i < sizeof(block); i++)
		if (block[i] != block[0])
			return -1;
	return block[0];
}

#endif
