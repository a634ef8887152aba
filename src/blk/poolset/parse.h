/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of pool set files; poolset/parse.c describes it. */
#ifndef POOLSET_PARSE_H
#define POOLSET_PARSE_H 1

#include "poolset/poolset.h"

/* The first bytes of a set file. */
#define POOLSET_SIGNATURE "PMEMPOOLSET"
#define POOLSET_SIGNATURE_LEN 11

/*
 * Parses the text of the set file known as path. Pure but for memory; paths are checked
 * for form only. -EINVAL with a message naming file, line and reason; -ENOMEM. *out is to
 * be given to poolset_free().
 */
int poolset_parse(const char *path, const char *text, size_t len,
		  struct poolset **out) MUST_CHECK;

#endif
