/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	messages FOLDER
 *
 * Produces failures, each in a process and an empty folder of its own, and prints a line for
 * each: its name, the name of errno, and the library's message, in which DIR stands for the
 * folder.
 */
#include <errno.h>
#include <libpmem.h>
#include <libpmemblk.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failures.h"

static const char *error_name(int err)
{
	const char *name = err ? strerrorname_np(err) : "0";

	return name ? name : "?";
}

static void print_masked(const char *text)
{
	size_t len = strlen(failures_folder);

	while (*text) {
		if (strncmp(text, failures_folder, len) == 0) {
			fputs("DIR", stdout);
			text += len;
			continue;
		}
		putchar(*text == '\n' || *text == '\t' ? ' ' : *text);
		text++;
	}
}

static void run(const struct failure *f, const char *(*message)(void))
{
	char command[4200];
	int status;
	int err;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		if (mkdir(failures_folder, 0755) != 0)
			_exit(1);
		signal(SIGXFSZ, SIG_IGN);
		errno = 0;
		f->run();
		err = errno;
		failures_unlimit();
		printf("%s\t%s\t", f->name, error_name(err));
		print_masked(message());
		putchar('\n');
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		abort();
	snprintf(command, sizeof(command), "rm -rf '%s'", failures_folder);
	if (system(command) != 0)
		abort();
	if (WIFSIGNALED(status))
		printf("%s\tSIG%s\t\n", f->name, sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		abort();
}

static void run_all(const struct failure *f, const char *parent, const char *prefix,
		    const char *(*message)(void))
{
	for (unsigned i = 0; f[i].name; i++) {
		snprintf(failures_folder, sizeof(failures_folder), "%s/%s%u", parent,
			 prefix, i);
		run(&f[i], message);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	run_all(blk_failures, argv[1], "", pmemblk_errormsg);
	run_all(pmem_failures, argv[1], "p", pmem_errormsg);
	return 0;
}
