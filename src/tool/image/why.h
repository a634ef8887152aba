/* SPDX-License-Identifier: BSD-3-Clause */
/* Keeps the message of an error while calls that may set another one tidy up after it. */
#ifndef WHY_H
#define WHY_H 1

#include <stdio.h>

#include "errormsg.h"

struct why {
	char text[ERRORMSG_MAX];
};

static inline void why_keep(struct why *why)
{
	snprintf(why->text, sizeof(why->text), "%s", errormsg_get());
}

static inline void why_restore(const struct why *why)
{
	errormsg_set("%s", why->text);
}

#endif
