/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device mapper, for scripts.
 *
 *	mapper create NAME TARGET DEVICE [ARGUMENT...]	one target as large as that device;
 *							prints the new device's node
 *	mapper remove NAME
 */
#include <inttypes.h>

#include "disk/mapper.h"
#include "guest.h"

static void create(const char *name, const char *target, char **arguments)
{
	char table[512], node[MAPPER_PATH];
	size_t n = (size_t)snprintf(table, sizeof(table), "0 %" PRIu64 " %s",
				    mapper_sectors(arguments[0]), target);

	for (; *arguments && n < sizeof(table); arguments++)
		n += (size_t)snprintf(table + n, sizeof(table) - n, " %s", *arguments);
	if (n >= sizeof(table))
		die("the table is too long");
	mapper_create(name, table, node);
	puts(node);
}

int main(int argc, char **argv)
{
	const char *command = argc > 2 ? argv[1] : "";

	if (!strcmp(command, "create") && argc > 4)
		create(argv[2], argv[3], argv + 4);
	else if (!strcmp(command, "remove") && argc == 3)
		mapper_remove(argv[2]);
	else
		die("usage: see the top of tests/dax/mapper.c");
	return 0;
}
