/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pmemblk(1): making, examining, repairing, filling and reading pools of libpmemblk.
 */
#include "commands/tool.h"

#include <stdio.h>
#include <string.h>

#include <libpmemblk.h>

static const struct tool_command commands[] = {
    {"create", "-b BSIZE [OPTION]... PATH", "make a pool",
     "  -b, --block-size=SIZE  bytes per block, 1 to 4294967295\n"
     "  -s, --size=SIZE        length of the new file [the smallest pool]; 0: the pool "
     "takes\n"
     "                         the whole of an existing file, device DAX or pool set\n"
     "  -m, --mode=MODE        permission bits of the files made, octal [644]\n"
     "  -w, --write-layout     write the metadata now, not with the first write\n",
     cmd_create},
    {"info", "[OPTION]... PATH", "show what a pool is made of",
     "  -j, --json             for programs\n"
     "  -s, --stats            count the blocks in each state (reads the whole map)\n",
     cmd_info},
    {"check", "[OPTION]... PATH", "examine a pool without changing it",
     "  -b, --block-size=SIZE  the block size that the pool is to have\n"
     "  -q, --quiet            print nothing on stdout\n",
     cmd_check},
    {"repair", "[OPTION]... PATH", "mend a damaged pool, or take a repair back",
     "  -n, --dry-run          show what would be done, change nothing\n"
     "  -b, --backup=FILE      where the bytes that change are kept [PATH.undo, "
     "PATH.undo.1\n"
     "                         and so on, the first that does not exist]\n"
     "  -u, --undo=FILE        put the bytes of a backup back\n"
     "  -v, --verbose          show every single change of a block\n",
     cmd_repair},
    {"dump", "[OPTION]... PATH", "show the contents of blocks",
     "  -r, --range=FIRST-LAST the blocks to show [all]; N for one, N- up to the end\n",
     cmd_dump},
    {"export", "[OPTION]... PATH FILE", "copy all blocks to a file",
     "  -f, --force            overwrite FILE\n"
     "  -e, --skip-errors      write zeros for blocks that cannot be read, and go on\n\n"
     "FILE - is the standard output.\n",
     cmd_export},
    {"import", "[OPTION]... FILE PATH", "copy a file to the blocks of a pool",
     "  -f, --first=N          the block to begin with [0]\n\n"
     "FILE - is the standard input.\n",
     cmd_import},
    {"bench", "[OPTION]... PATH", "measure the speed of a pool made for that at PATH",
     "  -b, --block-size=SIZE  bytes per block [4K]\n"
     "  -s, --size=SIZE        length of the file [64M]\n"
     "  -t, --threads=N        concurrent threads [1]\n"
     "  -n, --operations=N     random writes, and reads, of all threads together "
     "[100000]\n"
     "  -k, --keep             do not remove the pool afterwards\n",
     cmd_bench},
};

static void print_usage(FILE *f)
{
	fprintf(f, "usage: pmemblk COMMAND [OPTION]... ARGUMENT...\n"
		   "       pmemblk COMMAND --help\n"
		   "       pmemblk --version\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fprintf(f,
		"\nExit status: 0 done, consistent; 1 damage found; 2 wrong usage; 3 an "
		"error.\n");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const char *mismatch =
	    pmemblk_check_version(PMEMBLK_MAJOR_VERSION, PMEMBLK_MINOR_VERSION);

	if (mismatch) {
		tool_complain("%s", mismatch);
		return TOOL_FAILED;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		print_usage(stdout);
		return (int)tool_finish_output(TOOL_OK);
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		printf("pmemblk %s\n", SRCVERSION);
		return (int)tool_finish_output(TOOL_OK);
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return (int)tool_finish_output(
			    commands[i].run(&commands[i], argc - 1, argv + 1));
	if (argc > 1)
		tool_complain("there is no command '%s'", name);
	print_usage(stderr);
	return TOOL_USAGE;
}
