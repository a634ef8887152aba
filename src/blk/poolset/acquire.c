/* SPDX-License-Identifier: BSD-3-Clause */
#include "poolset/acquire.h"

#include "poolset/load.h"
#include "poolset/wait.h"

static int attempt(const char *path, enum poolset_access access,
		   struct poolset_wait *wait, struct poolset **out)
{
	int ret = poolset_load(path, false, wait, out);

	if (ret < 0)
		return ret;
	ret = poolset_files_open(*out, access);
	if (ret < 0)
		poolset_free(*out);
	return ret;
}

int poolset_acquire(const char *path, enum poolset_access access, struct poolset **out)
{
	struct poolset_wait wait;
	int ret;

	poolset_wait_begin(&wait);
	do
		ret = attempt(path, access, &wait, out);
	while (poolset_wait_again(&wait, path, &ret));
	if (ret == 0)
		(*out)->wait = NULL;
	return ret;
}
