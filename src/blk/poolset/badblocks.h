/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Media errors under the files of a pool: pages of persistent memory that the kernel knows to be
 * lost. A load from such a page kills the process (SIGBUS), so it is better not to open the pool.
 */
#ifndef BADBLOCKS_H
#define BADBLOCKS_H 1

#include "poolset/poolset.h"

/*
 * -EINVAL, message set: a file "<pool path>_r0_p<part>_badblocks.txt" exists. Another tool keeps
 * such a file while it repairs the pool, so its repair was interrupted.
 */
int badblocks_check_recovery(const struct poolset *set) MUST_CHECK;

/*
 * -EIO, message set with file and offset: an open part lies on bad blocks. 0 also if the kernel
 * does not tell, as for ordinary disks and file systems without FIEMAP. -ENOMEM.
 */
int badblocks_check_media(const struct poolset *set) MUST_CHECK;

#endif
