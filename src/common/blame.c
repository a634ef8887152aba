/* SPDX-License-Identifier: BSD-3-Clause */
#include "blame.h"

#include <stdio.h>

#include "errormsg.h"

int blame_file(const char *path, int ret)
{
	char text[1024];

	/* A copy, because the message must not be formatted into itself. */
	snprintf(text, sizeof(text), "%s", errormsg_get());
	errormsg_set("%s: %s", path, text);
	return ret;
}
