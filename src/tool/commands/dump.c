/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/blocks.h"

#define LINE 16u

static void print_line(const unsigned char *p, size_t off, size_t len)
{
	printf("  %08zx ", off);
	for (size_t i = 0; i < LINE; i++) {
		if (i < len)
			printf(" %02x", p[i]);
		else
			printf("   ");
	}
	fputs("  |", stdout);
	for (size_t i = 0; i < len; i++)
		putchar(isascii(p[i]) && isprint(p[i]) ? p[i] : '.');
	puts("|");
}

/* Lines that equal the line before are left out, except the last line. */
static void print_block(uint64_t number, const unsigned char *block, size_t bsize)
{
	bool skipping = false;

	printf("block %llu\n", ULL(number));
	for (size_t off = 0; off < bsize; off += LINE) {
		size_t len = bsize - off < LINE ? bsize - off : LINE;

		if (off > 0 && off + LINE < bsize &&
		    memcmp(block + off, block + off - LINE, len) == 0) {
			if (!skipping)
				puts("  *");
			skipping = true;
			continue;
		}
		skipping = false;
		print_line(block + off, off, len);
	}
}

static void print_zeros(uint64_t first, uint64_t end)
{
	if (end == first + 1)
		printf("block %llu: zeros\n", ULL(first));
	else if (end > first)
		printf("blocks %llu-%llu: zeros\n", ULL(first), ULL(end - 1));
}

static enum tool_status dump(PMEMblkpool *pool, uint64_t first, uint64_t last)
{
	size_t bsize = pmemblk_bsize(pool);
	uint64_t nblock = pmemblk_nblock(pool);
	enum tool_status status = TOOL_OK;
	unsigned char *block = malloc(bsize);
	uint64_t zeros = first; /* the first of the blocks of zeros before this one */
	uint64_t i;

	if (!block) {
		tool_complain("out of memory for blocks of %zu bytes", bsize);
		return TOOL_FAILED;
	}
	for (i = first; i <= last && i < nblock; i++) {
		bool readable = pmemblk_read(pool, block, (long long)i) == 0;

		if (readable && blocks_are_zero(block, bsize))
			continue;
		print_zeros(zeros, i);
		zeros = i + 1;
		if (readable) {
			print_block(i, block, bsize);
		} else {
			printf("block %llu: cannot be read\n", ULL(i));
			tool_complain("block %llu: %s", ULL(i), pmemblk_errormsg());
			status = TOOL_DAMAGED;
		}
	}
	print_zeros(zeros, i);
	free(block);
	return status;
}

enum tool_status cmd_dump(const struct tool_command *self, int argc, char **argv)
{
	struct tool_blocks range = {0, UINT64_MAX};
	enum tool_status status;
	PMEMblkpool *pool;
	const char *path;
	const struct tool_option options[] = {
	    {'r', "range", "FIRST-LAST",
	     "the blocks to show [all]; N for one, N- up to the end", TOOL_BLOCKS, &range,
	     0, 0},
	    {0},
	};
	const struct tool_operand operands[] = {{"PATH", &path}, {0}};

	if (!tool_read_arguments(self, argc, argv, options, operands, &status))
		return status;
	pool = blocks_open_to_read(path);
	if (!pool)
		return TOOL_FAILED;
	if (blocks_have(pool, path, range.first))
		status = dump(pool, range.first, range.last);
	else
		status = TOOL_FAILED;
	pmemblk_close(pool);
	return status;
}
