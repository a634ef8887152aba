/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes and judges pool headers. Pure: no I/O, no globals. A header comes from the medium and may
 * hold anything. Nothing in it is used before pool_header_check() has accepted it.
 */
#ifndef POOL_HEADER_H
#define POOL_HEADER_H 1

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "base/pool_format.h"

/*
 * Fills in the header of part `index`. part[0..npart) are the uuids of those parts of the pool
 * that have a header. The shutdown state stays zero. crtime: seconds since 1970.
 */
void pool_header_make(struct pool_header *h, uint32_t compat, uint32_t incompat,
		      const struct uuid *poolset, const struct uuid *part, unsigned npart,
		      unsigned index, uint64_t crtime);

bool pool_header_is_zero(const struct pool_header *h);

/* Whether the checksum of the header is right, so that the header is as it was written. */
bool pool_header_is_sealed(const struct pool_header *h);
/* Stores the right checksum of the header. */
void pool_header_seal(struct pool_header *h);

/*
 * Judges a single header: type, version, features, checksum, machine. -EINVAL with a message that
 * names the file (path), what was found and what was expected. Accepts unknown compat and
 * ro_compat features.
 */
int pool_header_check(const struct pool_header *h, const char *path) MUST_CHECK;

/*
 * Judges whether h[index] is in the right place among the npart headers of a set.
 * pool_header_check() must have accepted all of them. path: the file of this part.
 */
int pool_header_check_links(const struct pool_header *h, unsigned npart, unsigned index,
			    const char *path) MUST_CHECK;

bool pool_header_has(le32 word, uint32_t feature);

/*
 * Whether the shutdown state may be stored without a new checksum: the feature is on, and the
 * checksum does not cover the state.
 */
bool pool_header_keeps_sds(const struct pool_header *h);

#endif
