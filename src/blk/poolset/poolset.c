/* SPDX-License-Identifier: BSD-3-Clause */
#include "poolset/poolset.h"

#include <errno.h>

#include "base/alloc.h"
#include "errormsg.h"
#include "base/pool_format.h"

int poolset_add_part(struct poolset *set, char *path, uint64_t size, unsigned line)
{
	unsigned n = set->npart;

	/* The array grows when the number of parts reaches a power of two. */
	if ((n & (n - 1)) == 0) {
		size_t room = n ? 2 * (size_t)n : 1;
		struct poolset_part *part =
		    alloc_resize(set->part, room * sizeof(*set->part));

		if (!part) {
			alloc_free(path);
			return errormsg_fail(ENOMEM, "out of memory for the parts of %s",
					     set->path);
		}
		set->part = part;
	}
	set->part[n] =
	    (struct poolset_part){.path = path, .size = size, .line = line, .fd = -1};
	set->npart++;
	return 0;
}

int poolset_single(const char *path, uint64_t size, struct poolset **out)
{
	struct poolset *set = alloc_zeroed(sizeof(*set));
	char *copy = alloc_strdup(path);
	int ret;

	if (set)
		set->path = alloc_strdup(path);
	if (!set || !copy || !set->path) {
		alloc_free(copy);
		poolset_free(set);
		return errormsg_fail(ENOMEM, "out of memory for %s", path);
	}
	set->nreplica = 1;
	ret = poolset_add_part(set, copy, size, 0);
	if (ret < 0) {
		poolset_free(set);
		return ret;
	}
	*out = set;
	return 0;
}

void poolset_free(struct poolset *set)
{
	if (!set)
		return;
	for (unsigned i = 0; i < set->npart; i++) {
		file_holes_free(&set->part[i].holes);
		alloc_free(set->part[i].path);
	}
	alloc_free(set->part);
	alloc_free(set->path);
	alloc_free(set);
}

bool poolset_part_has_header(const struct poolset *set, unsigned i)
{
	return i == 0 || !set->singlehdr;
}

uint64_t poolset_part_skip(const struct poolset *set, unsigned i)
{
	/* Only the first part's header belongs to the image. */
	return i > 0 && poolset_part_has_header(set, i) ? POOL_PAGE : 0;
}

uint64_t poolset_part_used(const struct poolset *set, unsigned i, uint64_t length)
{
	uint64_t whole = length & ~(uint64_t)(POOL_PAGE - 1);
	uint64_t skip = poolset_part_skip(set, i);

	return whole > skip ? whole - skip : 0;
}
