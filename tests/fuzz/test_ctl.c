/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of settings: the first byte chooses the call, the rest is the name. */
#include "fuzz.h"

#include <errno.h>
#include <libpmemblk.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name;
	int value = 1;
	int ret;

	if (size == 0)
		return 0;
	name = malloc(size);
	FUZZ_ASSERT(name);
	memcpy(name, data + 1, size - 1);
	name[size - 1] = '\0';
	errno = 0;
	switch (data[0] % 3) {
	case 0:
		ret = pmemblk_ctl_get(NULL, name, &value);
		break;
	case 1:
		ret = pmemblk_ctl_set(NULL, name, &value);
		break;
	default:
		ret = pmemblk_ctl_exec(NULL, name, &value);
		FUZZ_ASSERT(ret == -1);
		break;
	}
	FUZZ_ASSERT(ret == 0 || (ret == -1 && errno == EINVAL));
	free(name);
	return 0;
}

FUZZ_MAIN(ctl)
