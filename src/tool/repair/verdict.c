/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/verdict.h"

#include <errno.h>

#include "btt/check.h"
#include "errormsg.h"
#include "pool/header.h"
#include "pool/shutdown_state.h"
#include "poolset/badblocks.h"

/* Judges everything but the arenas. -EINVAL: the pool cannot be opened. */
static int MUST_CHECK judge_outside(const struct image *image)
{
	const struct pool_header *h = image->header;
	struct shutdown_state modules;
	int ret = image_check_headers(image);

	/* If the bit is clear, the library opens the pool without a look at bad blocks. */
	if (ret == 0 && pool_header_has(h->compat, POOL_COMPAT_CHECK_BAD_BLOCKS)) {
		ret = badblocks_check_recovery(image->set);
		if (ret == 0)
			ret = badblocks_check_media(image->set);
	}
	if (ret == 0 && image->params.bsize == 0)
		ret = errormsg_fail(EINVAL,
				    "the pool in %s is damaged: its block size is 0",
				    image->path);
	if (ret < 0 || !pool_header_has(h->incompat, POOL_INCOMPAT_SDS))
		return ret;
	ret = image_read_modules(image, &modules);
	return ret < 0 ? ret : shutdown_state_check(&h->sds, &modules, image->path);
}

int verdict_of(struct image *image, bool *consistent)
{
	int ret = judge_outside(image);

	if (ret == 0)
		ret = btt_check(&image->storage, &image->params);
	*consistent = ret == 1;
	return ret == -EINVAL || ret >= 0 ? 0 : ret;
}
