/* SPDX-License-Identifier: BSD-3-Clause */
#include "badblocks.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "errormsg.h"

int badblocks_check_recovery(const struct poolset *set)
{
	for (unsigned i = 0; i < set->npart; i++) {
		char path[PATH_MAX];
		int n =
		    snprintf(path, sizeof(path), "%s_r0_p%u_badblocks.txt", set->path, i);

		/* Where the name would be too long, there is no such file. */
		if (n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0)
			return errormsg_fail(
			    EINVAL,
			    "a repair of bad blocks in %s was interrupted: "
			    "%s exists",
			    set->path, path);
	}
	return 0;
}
