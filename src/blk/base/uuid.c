/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/uuid.h"

#include <errno.h>
#include <stddef.h>
#include <sys/random.h>

#include "errormsg.h"

int uuid_generate(struct uuid *uuid)
{
	ssize_t n;

	/* so few bytes come all at once */
	do
		n = getrandom(uuid->bytes, UUID_SIZE, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errormsg_fail_sys(errno, "cannot get random bytes for a uuid");
	/*
	 * On the medium the third group of the text, which begins with the version, is in
	 * little-endian order. The fourth group, which begins with the variant, is as written.
	 */
	uuid->bytes[7] = (unsigned char)((uuid->bytes[7] & 0x0f) | 0x40);
	uuid->bytes[8] = (unsigned char)((uuid->bytes[8] & 0x3f) | 0x80);
	return 0;
}
