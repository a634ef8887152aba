/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk that refuses writes: the mapper's device "live". It passes everything to /dev/ram0
 * unless writes are refused.
 */
#ifndef REFUSE_H
#define REFUSE_H 1

#include <stdint.h>

#define REFUSE_NAME "live"
#define REFUSE_BASE "/dev/ram0"

/* From now on the bytes of the file from off to end cannot be written; they can still be read. */
void refuse(const char *path, uint64_t off, uint64_t end);
void refuse_nothing(void);

#endif
