/* SPDX-License-Identifier: BSD-3-Clause */
#include "ref.h"

#include <string.h>

#define PAGE 4096u
#define ARENA_MIN (UINT64_C(16) << 20)

struct geometry {
	uint32_t lbasize, nblock, nlba;
	uint64_t next, map, flog, copy;
};

static void put16(unsigned char *p, unsigned v)
{
	p[0] = (unsigned char)v;
	p[1] = (unsigned char)(v >> 8);
}

static void put32(unsigned char *p, uint32_t v)
{
	put16(p, v & 0xffff);
	put16(p + 2, v >> 16);
}

static void put64(unsigned char *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static void make_header(unsigned char *p, const unsigned char uuid[16])
{
	static const unsigned char alignment[8] = {0x10, 0x73, 0x77, 0x37, 0xf7, 0x07};

	memcpy(p, "PMEMBLK", 8);
	put32(p + 8, 1);  /* major */
	put32(p + 12, 1); /* CHECK_BAD_BLOCKS */
	put32(p + 16, 6); /* CKSUM_2K, SDS */
	for (unsigned i = 0; i < 6; i++)
		memcpy(p + 24 + 16 * i, uuid, 16);
	memcpy(p + 128, alignment, 8);
	p[136] = 2;
	p[137] = 1;
	put16(p + 142, 62);
	put64(p + 4088, ref_checksum(p, 2048));
}

static void make_info(unsigned char *p, const struct geometry *g, uint32_t bsize,
		      const unsigned char parent[16])
{
	memcpy(p, "BTT_ARENA_INFO\0", 16);
	memset(p + 16, 0x5a, 16); /* the layout's own uuid */
	memcpy(p + 32, parent, 16);
	put16(p + 52, 1);
	put16(p + 54, 1);
	put32(p + 56, bsize);
	put32(p + 60, g->nlba);
	put32(p + 64, g->lbasize);
	put32(p + 68, g->nblock);
	put32(p + 72, REF_NFREE);
	put32(p + 76, PAGE);
	put64(p + 80, g->next);
	put64(p + 88, PAGE);
	put64(p + 96, g->map);
	put64(p + 104, g->flog);
	put64(p + 112, g->copy);
	put64(p + 4088, ref_checksum(p, PAGE));
}

static struct geometry plan(uint64_t area, uint32_t bsize)
{
	struct geometry g = {.next = 0};
	uint64_t flog_size = REF_NFREE * 64;

	g.lbasize = ((bsize < 512 ? 512 : bsize) + 255) & ~UINT32_C(255);
	g.nblock = (uint32_t)((area - 2 * PAGE - flog_size - PAGE) / (g.lbasize + 4));
	g.nlba = g.nblock - REF_NFREE;
	g.copy = area - PAGE;
	g.flog = g.copy - flog_size;
	g.map = g.flog - ((g.nlba * UINT64_C(4) + PAGE - 1) & ~(uint64_t)(PAGE - 1));
	return g;
}

void ref_format(void (*put)(void *arg, uint64_t off, const void *data, size_t len),
		void *arg, uint64_t size, uint64_t arena_max, uint32_t bsize,
		const unsigned char parent[16], bool zeroed, bool laid_out)
{
	uint64_t end = size & ~(uint64_t)(PAGE - 1), next;
	unsigned char page[PAGE] = {0};

	make_header(page, parent);
	put(arg, 0, page, PAGE);
	memset(page, 0, PAGE);
	put32(page, bsize);
	put32(page + 4, zeroed);
	put(arg, PAGE, page, PAGE);
	for (uint64_t off = REF_DATA_OFF; laid_out && end - off >= ARENA_MIN;
	     off = next) {
		struct geometry g;

		next = end - off > arena_max ? off + arena_max : end;
		g = plan(next - off, bsize);
		g.next = end - next >= ARENA_MIN ? next - off : 0;
		for (uint32_t n = 0; n < REF_NFREE; n++) {
			unsigned char slot[64] = {0};

			put32(slot, n);
			put32(slot + 4, (g.nlba + n) | UINT32_C(0x80000000));
			put32(slot + 8, (g.nlba + n) | UINT32_C(0x80000000));
			put32(slot + 12, 1);
			put(arg, off + g.flog + n * 64, slot, sizeof(slot));
		}
		memset(page, 0, PAGE);
		make_info(page, &g, bsize, parent);
		put(arg, off, page, PAGE);
		put(arg, off + g.copy, page, PAGE);
	}
}
