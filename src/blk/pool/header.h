/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making and judging pool headers. Pure: no I/O, no globals. A header comes from the
 * medium and may hold anything; nothing in it is used before pool_header_check() has
 * accepted it.
 */
#ifndef POOL_HEADER_H
#define POOL_HEADER_H 1

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "base/pool_format.h"

/*
 * Fills in the header of part `index` of a pool whose header-carrying parts have the
 * uuids part[0..npart). The shutdown state stays zero. crtime: seconds since 1970.
 */
void pool_header_make(struct pool_header *h, uint32_t compat, uint32_t incompat,
		      const struct uuid *poolset, const struct uuid *part, unsigned npart,
		      unsigned index, uint64_t crtime);

bool pool_header_is_zero(const struct pool_header *h);

/* Whether the header's checksum is right: whoever wrote the header wrote it like this. */
bool pool_header_is_sealed(const struct pool_header *h);
/* Stores the checksum that belongs to the rest of the header. */
void pool_header_seal(struct pool_header *h);

/*
 * Judges one header on its own: type, version, features, checksum, machine. -EINVAL with
 * a message that names the file (path), what was found and what was wanted. Unknown
 * compat and ro_compat features are accepted.
 */
int pool_header_check(const struct pool_header *h, const char *path) MUST_CHECK;

/*
 * Judges whether h[index] belongs where it stands among the npart headers of a set, all of
 * which have passed pool_header_check(). path: the file of that part.
 */
int pool_header_check_links(const struct pool_header *h, unsigned npart, unsigned index,
			    const char *path) MUST_CHECK;

bool pool_header_has(le32 word, uint32_t feature);

/*
 * Whether the shutdown state may be stored without making the header invalid: the feature
 * is on and the checksum leaves it out.
 */
bool pool_header_keeps_sds(const struct pool_header *h);

#endif
