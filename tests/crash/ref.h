/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A simple second implementation of the pool format, which shares no code with the library. It
 * recovers a pool by the rule of the format (slots in the order of their index, primary info
 * blocks only), tells what its blocks hold then, and whether the pool is consistent. It stores
 * nothing.
 *
 * A pool image has a header page, a descriptor page, and the data area from REF_DATA_OFF on.
 */
#ifndef REF_H
#define REF_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REF_DATA_OFF 8192u
#define REF_NFREE 256u
#define REF_ARENA_MAX 3u

struct ref_redo {
	uint32_t lba;
	uint32_t entry;
};

struct ref_arena {
	uint64_t off; /* all offsets count from the start of the image */
	uint64_t data, map, flog;
	uint32_t lbasize;      /* of a data block on the medium */
	uint32_t nlba, nblock; /* blocks shown, data blocks */
	unsigned nredo;
	struct ref_redo redo[REF_NFREE];
	uint32_t free_block[REF_NFREE];
};

struct ref {
	const unsigned char *image;
	bool laid_out;
	bool copies; /* the copies of all info blocks are valid, too */
	unsigned narena;
	struct ref_arena arena[REF_ARENA_MAX];
};

enum ref_state { REF_ZERO, REF_ERROR, REF_DATA };

/*
 * Recovers the pool. Returns NULL, or the reason why the original would refuse the pool or make
 * an arena read-only.
 */
const char *ref_recover(struct ref *ref, const unsigned char *image, uint64_t size,
			uint32_t bsize, const unsigned char parent[16]);

/* The block after recovery; *data is set for REF_DATA. lba is below the number of blocks. */
enum ref_state ref_block(const struct ref *ref, uint64_t lba, const unsigned char **data);

/* Returns NULL if map and free list name every data block exactly once, or what is wrong. */
const char *ref_census(const struct ref *ref);

/* The place of a block's map entry in the image. */
uint64_t ref_map_off(const struct ref *ref, uint64_t lba);

/* The first data block of the arena that a block is in. */
uint64_t ref_data_off(const struct ref *ref, uint64_t lba);

/* Fletcher-64 of a page; the 8 bytes at 4088 and all bytes from skip on count as zero. */
uint64_t ref_checksum(const unsigned char *page, unsigned skip);

/*
 * Writes a pool, through put(): header, descriptor, and if `laid_out` the layout of what is
 * left of size bytes, in arenas of at most arena_max. Both flags as in the descriptor.
 */
void ref_format(void (*put)(void *arg, uint64_t off, const void *data, size_t len),
		void *arg, uint64_t size, uint64_t arena_max, uint32_t bsize,
		const unsigned char parent[16], bool zeroed, bool laid_out);

#endif
