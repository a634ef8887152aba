/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk that refuses writes: the mapper's device "live", which is /dev/ram0 as long as nothing is
 * refused.
 */
#ifndef REFUSE_H
#define REFUSE_H 1

#include <stdint.h>

#define REFUSE_NAME "live"
#define REFUSE_BASE "/dev/ram0"

/* From now on what the file holds from off to end cannot be written; reading goes on. */
void refuse(const char *path, uint64_t off, uint64_t end);
void refuse_nothing(void);

#endif
