/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk/refuse.h"

#include <inttypes.h>
#include <stdbool.h>

#include "disk/extents.h"
#include "disk/mapper.h"
#include "guest.h"

static void add_line(char *table, size_t size, uint64_t from, uint64_t to, bool fails)
{
	size_t n = strlen(table);

	if (from < to)
		snprintf(table + n, size - n,
			 "%" PRIu64 " %" PRIu64 " %s " REFUSE_BASE " %" PRIu64 "%s\n",
			 from, to - from, fails ? "flakey" : "linear", from,
			 fails ? " 0 1000000 1 error_writes" : "");
}

void refuse(const char *path, uint64_t off, uint64_t end)
{
	struct extent extent[MAX_EXTENTS];
	char table[8192] = "";
	unsigned n = extents_find(path, off, end, extent);
	uint64_t done = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t start = extent[i].disk_off / 512;

		if (start < done)
			die("%s: its extents are not in order", path);
		add_line(table, sizeof(table), done, start, false);
		done = start + extent[i].length / 512;
		add_line(table, sizeof(table), start, done, true);
	}
	add_line(table, sizeof(table), done, mapper_sectors(REFUSE_BASE), false);
	mapper_reload(REFUSE_NAME, table);
}

void refuse_nothing(void)
{
	char table[128] = "";

	add_line(table, sizeof(table), 0, mapper_sectors(REFUSE_BASE), false);
	mapper_reload(REFUSE_NAME, table);
}
