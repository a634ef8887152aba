/* SPDX-License-Identifier: BSD-3-Clause */
/* pmemblk(1): creates, examines, repairs, enlarges, fills and reads pools of libpmemblk. */
#include "commands/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libpmemblk.h>

#include "commands/library.h"
#include "commands/streams.h"
#include "commands/wait.h"

static const struct tool_command commands[] = {
    {"create", "-b BSIZE [OPTION]... PATH", "make a pool", NULL, cmd_create},
    {"info", "[OPTION]... PATH", "show what a pool is made of", NULL, cmd_info},
    {"check", "[OPTION]... PATH", "examine a pool without changing it", NULL, cmd_check},
    {"repair", "[OPTION]... PATH", "mend a damaged pool, or take a repair back", NULL,
     cmd_repair},
    {"grow", "-s SIZE [OPTION]... PATH", "make a pool larger, or take that back", NULL,
     cmd_grow},
    {"dump", "[OPTION]... PATH", "show the contents of blocks", NULL, cmd_dump},
    {"export", "[OPTION]... PATH FILE", "copy all blocks to a file",
     "FILE - is the standard output.", cmd_export},
    {"import", "[OPTION]... FILE PATH", "copy a file to the blocks of a pool",
     "FILE - is the standard input.", cmd_import},
    {"bench", "[OPTION]... PATH", "measure the speed of a pool made for that at PATH",
     NULL, cmd_bench},
};

static const struct tool_command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

static void print_usage(FILE *f)
{
	fprintf(f, "usage: pmemblk [--wait=SECONDS] COMMAND [OPTION]... ARGUMENT...\n"
		   "       pmemblk help [COMMAND]\n"
		   "       pmemblk --version\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fprintf(f,
		"\nExit status: 0 done, consistent; 1 damage found; 2 wrong usage; 3 an "
		"error.\n");
}

static enum tool_status no_command(const char *name)
{
	if (*name)
		tool_complain("there is no command '%s'", name);
	streams_guard_error();
	print_usage(stderr);
	return TOOL_USAGE;
}

/* pmemblk help [COMMAND] */
static enum tool_status help(const char *name)
{
	char text[] = "--help";
	char *argv[] = {text, text, NULL};
	const struct tool_command *command;

	if (!name) {
		print_usage(stdout);
		return TOOL_OK;
	}
	command = find_command(name);
	return command ? command->run(command, 2, argv) : no_command(name);
}

/* An access to a lost page, or to a hole on a full disk, is an error instead of a SIGBUS. */
static void catch_lost_pages(void)
{
	int on = 1;

	if (pmemblk_ctl_set(NULL, "sigbus.catch", &on) != 0)
		tool_complain("%s", pmemblk_errormsg());
}

/*
 * If a standard stream is closed, the next file that is opened would get its descriptor, and
 * messages would be written into the copy of a pool. So a descriptor is opened in its place;
 * accesses to it fail as those to the closed one do.
 */
static void occupy_closed_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			open("/", O_PATH); /* if there is no /dev */
}

/*
 * The program that has started the tool may have blocked SIGBUS, and the mask is inherited. Then an
 * access to a lost page would end the process, whatever the handler is.
 */
static void unblock_lost_pages(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* The value of --wait, if word is this option before the command; else NULL. */
static const char *value_of_wait(const char *word)
{
	static const char option[] = "--" WAIT_OPTION "=";

	return strncmp(word, option, sizeof(option) - 1) == 0 ? word + sizeof(option) - 1
							      : NULL;
}

static enum tool_status run_command(const struct tool_command *command, int argc,
				    char **argv, const char *wait)
{
	if (!library_check() || !wait_begin())
		return TOOL_FAILED;
	if (wait && !wait_set(wait)) {
		tool_complain("--%s=%s: wanted is %s", WAIT_OPTION, wait, WAIT_WANTED);
		print_usage(stderr);
		return TOOL_USAGE;
	}
	catch_lost_pages();
	return command->run(command, argc, argv);
}

static enum tool_status run(int argc, char **argv)
{
	const char *wait = argc > 1 ? value_of_wait(argv[1]) : NULL;
	const struct tool_command *command;
	const char *name;

	if (wait) {
		argc--;
		argv++;
	}
	name = argc > 1 ? argv[1] : "";
	command = find_command(name);
	if (!command && !streams_guard_output())
		return TOOL_FAILED;
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		printf("pmemblk %s\n", SRCVERSION);
		library_print();
		return TOOL_OK;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return help(NULL);
	if (strcmp(name, "help") == 0)
		return help(argv[2]);
	if (!command)
		return no_command(name);
	return run_command(command, argc - 1, argv + 1, wait);
}

int main(int argc, char **argv)
{
	occupy_closed_streams();
	unblock_lost_pages();
	/* The file size limit is an error with a message instead of a signal. */
	signal(SIGXFSZ, SIG_IGN);
	streams_begin(argc > 0 ? argv + 1 : argv);
	return (int)tool_finish_output(run(argc, argv));
}
