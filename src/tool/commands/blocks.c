/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/blocks.h"

#include <errno.h>
#include <string.h>

#include "commands/tool.h"

PMEMblkpool *blocks_open(const char *path)
{
	int off = 0;
	PMEMblkpool *pool = NULL;

	/* With copy on write, which PMEMBLK_CONF may set, all that is written would be lost. */
	if (pmemblk_ctl_set(NULL, "copy_on_write.at_open", &off) == 0)
		pool = pmemblk_open(path, 0);
	if (!pool)
		tool_complain("%s", pmemblk_errormsg());
	return pool;
}

PMEMblkpool *blocks_open_to_read(const char *path)
{
	int on = 1;
	int off = 0;
	PMEMblkpool *pool = NULL;

	if (pmemblk_ctl_set(NULL, "copy_on_write.at_open", &on) == 0) {
		pool = pmemblk_open(path, 0);
		if (!pool && errno == ENOTSUP &&
		    pmemblk_ctl_set(NULL, "copy_on_write.at_open", &off) == 0)
			pool = pmemblk_open(path, 0);
	}
	if (!pool)
		tool_complain("%s", pmemblk_errormsg());
	return pool;
}

bool blocks_have(PMEMblkpool *pool, const char *path, uint64_t number)
{
	size_t n = pmemblk_nblock(pool);

	if (number < n)
		return true;
	tool_complain("there is no block %llu: those of %s are 0 to %zu", ULL(number),
		      path, n - 1);
	return false;
}

size_t blocks_per_chunk(PMEMblkpool *pool)
{
	size_t bsize = pmemblk_bsize(pool);

	return bsize < BLOCKS_CHUNK ? BLOCKS_CHUNK / bsize : 1;
}

size_t blocks_per_batch(PMEMblkpool *pool)
{
	size_t n = blocks_per_chunk(pool);

	return n < BLOCKS_BATCH ? n : BLOCKS_BATCH;
}

bool blocks_are_zero(const void *buf, size_t len)
{
	const unsigned char *p = buf;

	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}
