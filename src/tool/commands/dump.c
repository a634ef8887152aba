/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/blocks.h"

#define LINE 16u

static const struct option options[] = {
    {"range", required_argument, NULL, 'r'},
    {0},
};

/* "N" or "N-M"; N- goes to the end. */
static bool parse_range(const char *text, uint64_t *first, uint64_t *last)
{
	char copy[64];
	char *dash;
	size_t len = strlen(text);

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len + 1);
	dash = strchr(copy, '-');
	if (dash)
		*dash = '\0';
	if (!tool_parse_number(copy, INT64_MAX, first))
		return false;
	if (!dash)
		*last = *first;
	else if (!dash[1])
		*last = UINT64_MAX;
	else if (!tool_parse_number(dash + 1, INT64_MAX, last))
		return false;
	return *last >= *first;
}

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

/* Lines that are like the one before are left out, but for the last one. */
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
	enum tool_status status;
	uint64_t first = 0;
	uint64_t last = UINT64_MAX;
	PMEMblkpool *pool;
	const char *path;
	int c;

	while ((c = tool_next_option(self, argc, argv, "r:", options)) != -1) {
		switch (c) {
		case 'r':
			if (!parse_range(optarg, &first, &last))
				return tool_usage_error(
				    self, "'%s' is no range of blocks", optarg);
			break;
		default:
			return tool_option_status(c);
		}
	}
	path = tool_only_argument(self, argc, argv);
	if (!path)
		return TOOL_USAGE;
	pool = blocks_open_to_read(path);
	if (!pool)
		return TOOL_FAILED;
	if (first < pmemblk_nblock(pool)) {
		status = dump(pool, first, last);
	} else {
		tool_complain("there is no block %llu: the pool has %zu", ULL(first),
			      pmemblk_nblock(pool));
		status = TOOL_FAILED;
	}
	pmemblk_close(pool);
	return status;
}
