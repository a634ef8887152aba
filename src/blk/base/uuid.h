/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UUID_H
#define UUID_H 1

#include <stdbool.h>
#include <string.h>

#include "compiler.h"

#define UUID_SIZE 16

/* 16 bytes, as stored on the medium. They are only compared. */
struct uuid {
	unsigned char bytes[UUID_SIZE];
};

static inline bool uuid_equals(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/*
 * Makes a new random uuid (version 4) in the medium's byte order, with getrandom(2). 0 or -errno,
 * message set. No descriptor stays open.
 */
int uuid_generate(struct uuid *uuid) MUST_CHECK;

#endif
