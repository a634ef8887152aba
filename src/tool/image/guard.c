/* SPDX-License-Identifier: BSD-3-Clause */
#include "image/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/pool_format.h"
#include "errormsg.h"
#include "image/place.h"

static sigjmp_buf before_work;
static const void *volatile struck; /* the address that could not be accessed */

struct mender {
	guard_mend *mend; /* NULL: nothing is mended */
	void *arg;
};

static struct mender mender; /* of the innermost call */

static bool mends(const siginfo_t *info)
{
	int err = errno;
	bool done = info->si_code == BUS_ADRERR && mender.mend &&
		    mender.mend(mender.arg, info->si_addr);

	errno = err;
	return done;
}

/* A SIGBUS that another process has sent is not a failed access. */
static void handle(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (mends(info))
		return;
	if (info->si_code <= 0) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	struck = info->si_addr;
	siglongjmp(before_work, 1);
}

static int fail(const char *path, const struct poolset_mapping *map)
{
	static const char reason[] = "no room for it is left on the file system, the "
				     "medium has lost it, or the file "
				     "was cut off";
	uintptr_t at = (uintptr_t)struck - (map ? (uintptr_t)map->base : 0);
	char what[128];

	if (map && (uintptr_t)struck >= (uintptr_t)map->base && at < map->size) {
		at -= at % POOL_PAGE;
		place_describe(map, at, what, sizeof(what));
		return errormsg_fail(
		    EIO,
		    "%s: the page at offset %llu of the pool, which holds "
		    "%s, cannot be accessed: %s",
		    path, ULL(at), what, reason);
	}
	return errormsg_fail(EIO, "%s: a page of it cannot be accessed: %s", path,
			     reason);
}

/* What a call replaces and puts back at its end. */
struct outer {
	struct sigaction action;
	struct mender mender;
	sigjmp_buf before_work;
};

static void restore(const struct outer *outer)
{
	memcpy(&before_work, &outer->before_work, sizeof(before_work));
	mender = outer->mender;
	sigaction(SIGBUS, &outer->action, NULL);
}

int guard_run_mending(const char *path, const struct poolset_mapping *map,
		      guard_mend *mend, void *mend_arg, int (*work)(void *), void *arg)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO};
	struct outer outer = {.mender = mender};
	int ret;

	sigemptyset(&sa.sa_mask);
	sa.sa_sigaction = handle;
	if (sigaction(SIGBUS, &sa, &outer.action) != 0)
		return errormsg_fail_sys(errno, "cannot handle SIGBUS");
	memcpy(&outer.before_work, &before_work, sizeof(before_work));
	mender = (struct mender){mend, mend_arg};
	if (sigsetjmp(before_work, 1) == 0) {
		ret = work(arg);
		restore(&outer);
		return ret;
	}
	restore(&outer);
	return fail(path, map);
}

int guard_run(const char *path, const struct poolset_mapping *map, int (*work)(void *),
	      void *arg)
{
	return guard_run_mending(path, map, NULL, NULL, work, arg);
}
