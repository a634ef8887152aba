/* SPDX-License-Identifier: BSD-3-Clause */
#include "pool/shutdown_state.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "errormsg.h"
#include "base/fletcher64.h"

static uint64_t checksum(const struct pool_sds *sds)
{
	return fletcher64(sds, sizeof(*sds), offsetof(struct pool_sds, checksum), 0);
}

/*
 * The checksum covers the name, its NUL, and 1 to 4 zero bytes up to a multiple of 4. A device
 * without a name counts as 4 zero bytes, whose checksum is 0.
 */
static uint64_t name_checksum(const char *name)
{
	size_t len = strlen(name);
	uint32_t lo = 0;
	uint32_t hi = 0;

	if (len == 0)
		return 0;
	len++;
	for (size_t off = 0; off < len + 4 - len % 4; off += 4) {
		unsigned char word[4] = {0};
		le32 value;

		if (off < len)
			memcpy(word, name + off, len - off < 4 ? len - off : 4);
		memcpy(&value, word, sizeof(value));
		lo += le32_to_cpu(value);
		hi += lo;
	}
	return (uint64_t)hi << 32 | lo;
}

void shutdown_state_add(struct shutdown_state *state, uint64_t usc, const char *names)
{
	state->usc += usc;
	state->uuid += name_checksum(names);
}

int shutdown_state_check(const struct pool_sds *stored, const struct shutdown_state *now,
			 const char *path)
{
	if (le64_to_cpu(stored->checksum) != checksum(stored))
		return 0;
	if (le64_to_cpu(stored->usc) == now->usc &&
	    le64_to_cpu(stored->uuid) == now->uuid)
		return 0;
	if (!stored->dirty)
		return 0;
	return errormsg_fail(EINVAL,
			     "%s was open when its memory modules shut down unsafely: "
			     "count %llu, id %#llx, "
			     "now %llu, %#llx; its last writes may be lost",
			     path, (unsigned long long)le64_to_cpu(stored->usc),
			     (unsigned long long)le64_to_cpu(stored->uuid),
			     (unsigned long long)now->usc, (unsigned long long)now->uuid);
}

void shutdown_state_make(struct pool_sds *sds, const struct shutdown_state *now,
			 bool dirty)
{
	memset(sds, 0, sizeof(*sds));
	sds->usc = cpu_to_le64(now->usc);
	sds->uuid = cpu_to_le64(now->uuid);
	sds->dirty = dirty;
	sds->checksum = cpu_to_le64(checksum(sds));
}
