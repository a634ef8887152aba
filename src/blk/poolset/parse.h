/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of pool set files; poolset/parse.c describes it. */
#ifndef POOLSET_PARSE_H
#define POOLSET_PARSE_H 1

#include "poolset/poolset.h"

/* The first bytes of a set file. */
#define POOLSET_SIGNATURE "PMEMPOOLSET"
#define POOLSET_SIGNATURE_LEN 11

/*
 * Parses text, the contents of the set file path. Pure except for allocations: of the paths in
 * it, only the form is checked. -EINVAL with a message that names file, line and reason; -ENOMEM.
 * The caller frees *out with poolset_free().
 */
int poolset_parse(const char *path, const char *text, size_t len,
		  struct poolset **out) MUST_CHECK;

#endif
