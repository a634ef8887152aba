/* SPDX-License-Identifier: BSD-3-Clause */
/* The parser of set files: every text gives a valid set or an error. */
#include "fuzz.h"

#include <errno.h>

#include "errormsg.h"
#include "poolset/poolset.h"
#include "poolset/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct poolset *set;
	char *text = malloc(size + 1);
	int ret;

	FUZZ_ASSERT(text);
	memcpy(text, data, size);
	ret = poolset_parse("set", text, size, &set);
	free(text);
	if (ret != 0) {
		FUZZ_ASSERT(ret == -EINVAL);
		FUZZ_ASSERT(strncmp(errormsg_get(), "set:", 4) == 0);
		return 0;
	}
	FUZZ_ASSERT(set->npart >= 1 && set->nreplica >= 1 && set->is_file);
	for (unsigned i = 0; i < set->npart; i++) {
		const struct poolset_part *part = &set->part[i];

		FUZZ_ASSERT(part->path[0] == '/');
		FUZZ_ASSERT(part->path[strcspn(part->path, " \t\n#")] == '\0');
		FUZZ_ASSERT(part->line > 1 && part->fd == -1);
	}
	poolset_free(set);
	return 0;
}

FUZZ_MAIN(poolset)
