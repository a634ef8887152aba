/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/tool.h"

#include <errno.h>
#include <stdio.h>

#include <libpmemblk.h>

#include "errormsg.h"
#include "image/guard.h"
#include "repair/repair.h"

#define SHOWN_FINDINGS 20

struct judge {
	struct image *image;
	struct plan *plan;
	enum repair_verdict verdict;
};

static int judge_guarded(void *arg)
{
	struct judge *j = arg;

	return repair_plan(j->image, j->plan, &j->verdict);
}

struct request {
	const char *path;
	uint64_t bsize; /* 0: any */
	bool quiet;
};

static void say_consistent(const struct request *r)
{
	if (!r->quiet)
		tool_say("%s: consistent", r->path);
}

/*
 * The library's verdict is only one message. The plan of a repair lists all damage, and it
 * distinguishes a damaged pool from a file that is not a pool. So check prints this plan, and has
 * the status of a repair's dry run. status: the status by the library's verdict alone.
 *
 * error: of the library. With EIO it may have been unable to read a hole, because the disk is
 * full. An image needs no room for that.
 */
static enum tool_status explain(const struct request *r, enum tool_status status,
				int error)
{
	const char *path = r->path;
	struct image image;
	struct plan plan;
	struct judge j = {&image, &plan, REPAIR_REFUSED};

	if (image_open(path, POOLSET_READ, &image) < 0)
		return status;
	plan_init(&plan, SHOWN_FINDINGS);
	if (image_run(&image, judge_guarded, &j) < 0) {
		tool_complain("%s", errormsg_get());
	} else if (j.verdict == REPAIR_MENDABLE || j.verdict == REPAIR_HOPELESS) {
		status = TOOL_DAMAGED;
		if (!r->quiet) {
			plan_print_findings(&plan, SHOWN_FINDINGS);
			tool_say("%s: not consistent; %s", path,
				 j.verdict == REPAIR_HOPELESS
				     ? "pmemblk repair does not know how to mend it"
				     : "pmemblk repair can mend it");
		}
	} else if (j.verdict == REPAIR_CONSISTENT && error == EIO &&
		   (r->bsize == 0 || r->bsize == image.params.bsize)) {
		status = TOOL_OK;
		say_consistent(r);
	}
	plan_free(&plan);
	image_close(&image);
	return status;
}

struct library {
	const char *path;
	uint64_t bsize;
	int error; /* errno */
};

static int check_guarded(void *arg)
{
	struct library *l = arg;
	int ret = pmemblk_check(l->path, l->bsize);

	l->error = errno;
	return ret;
}

static enum tool_status check(const struct request *r)
{
	struct library l = {.path = r->path, .bsize = r->bsize};
	enum tool_status status = TOOL_FAILED;
	int on = 1;

	/* With this the library unlocks the files after a failed access. */
	if (pmemblk_ctl_set(NULL, "sigbus.catch", &on) != 0) {
		tool_complain("%s", pmemblk_errormsg());
		return TOOL_FAILED;
	}

	switch (guard_run(r->path, NULL, check_guarded, &l)) {
	case 1:
		say_consistent(r);
		return TOOL_OK;
	case 0:
		tool_complain("%s", pmemblk_errormsg());
		return explain(r, TOOL_DAMAGED, 0);
	case -1:
		if (l.error == EIO)
			status = explain(r, TOOL_FAILED, EIO);
		if (status != TOOL_OK)
			tool_complain("%s", pmemblk_errormsg());
		return l.error == EINVAL ? explain(r, TOOL_FAILED, EINVAL) : status;
	default:
		return tool_failed();
	}
}

enum tool_status cmd_check(const struct tool_command *self, int argc, char **argv)
{
	enum tool_status status;
	struct request request = {0};
	const struct tool_option options[] = {
	    {'b', "block-size", "SIZE", "the block size that the pool is to have",
	     TOOL_SIZE, &request.bsize, 0, UINT32_MAX},
	    {'q', "quiet", NULL, "print nothing on stdout", TOOL_FLAG, &request.quiet, 0,
	     0},
	    {0},
	};
	const struct tool_operand operands[] = {{"PATH", &request.path}, {0}};

	if (!tool_read_arguments(self, argc, argv, options, operands, &status))
		return status;
	return check(&request);
}
