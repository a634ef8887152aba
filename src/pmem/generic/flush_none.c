/* SPDX-License-Identifier: BSD-3-Clause */
/* With this backend no memory is reported as persistent, so that programs use msync. */
#include "generic/kernels.h"

static void flush(const void *addr, size_t len)
{
	(void)addr;
	(void)len;
}

static void fence(void)
{
	__sync_synchronize();
}

const struct engine_flush flush_none = {
    .name = "none",
    .flush = flush,
    .deep_flush = flush,
    .fence = fence,
};
