/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes a damaged header anew. This works for a pool in one file, and for a set with one header,
 * because such a header says most things twice: it has the part's uuid five times, and the pool's
 * uuid is also the parent of the info blocks.
 *
 *   1. A header is made anew only if enough of these agree.
 *   2. A sound header is not damaged if this library does not open it because of its features,
 *      its machine or its place in a set.
 *   3. In a damaged header such fields are not damaged if its checksum was made with them.
 */
#include "repair/header.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/uuid.h"
#include "btt/geometry.h"
#include "errormsg.h"
#include "pool/header.h"
#include "pool/shutdown_state.h"
#include "repair/witness.h"

#define NLINKS 5

/* How many of the five uuids of a single part are the same, and that uuid. */
static unsigned count_links(const struct pool_header *h, struct uuid *uuid)
{
	const struct uuid *link[NLINKS] = {&h->uuid, &h->prev_part_uuid,
					   &h->next_part_uuid, &h->prev_repl_uuid,
					   &h->next_repl_uuid};
	unsigned best = 0;

	for (unsigned i = 0; i < NLINKS; i++) {
		unsigned n = 0;

		for (unsigned j = 0; j < NLINKS; j++)
			if (uuid_equals(link[i], link[j]))
				n++;
		if (n > best) {
			best = n;
			*uuid = *link[i];
		}
	}
	return best;
}

static bool is_named(const struct pool_header *h)
{
	return memcmp(h->signature, POOL_SIGNATURE, sizeof(h->signature)) == 0;
}

/*
 * A header with a right checksum was written like that, or changed by a tool that made a new
 * checksum. It is made anew only if no more than one link and the signature are wrong.
 */
static bool rebuild_sound(const struct image *image, const struct witness *witness,
			  const struct uuid *part, unsigned links,
			  struct pool_header *fresh)
{
	const struct pool_header *h = image->header;
	bool confirmed = witness && uuid_equals(&witness->parent, &h->poolset_uuid);

	if (links < NLINKS - 1 || (!is_named(h) && !confirmed) || h->ro_compat.raw)
		return false;
	pool_header_make(fresh, le32_to_cpu(h->compat), le32_to_cpu(h->incompat),
			 &h->poolset_uuid, part, 1, 0, le64_to_cpu(h->crtime));
	return memcmp(&fresh->arch, &h->arch, sizeof(h->arch)) == 0 &&
	       fresh->major.raw == h->major.raw &&
	       (le32_to_cpu(h->incompat) & ~POOL_INCOMPAT_KNOWN) == 0 &&
	       pool_header_has(h->incompat, POOL_INCOMPAT_SINGLEHDR) ==
		   image->set->singlehdr;
}

/*
 * Whether a pool with this version, these features and this machine opens here. OPTION SINGLEHDR
 * has to agree, too.
 */
static bool is_for_us(const struct image *image, const struct pool_header *h)
{
	if (pool_header_check(h, image->path) < 0)
		return false;
	if (h->ro_compat.raw) {
		errormsg_set("it is damaged, and its features ro_compat %#x are not "
			     "known here",
			     le32_to_cpu(h->ro_compat));
		return false;
	}
	if (pool_header_has(h->incompat, POOL_INCOMPAT_SINGLEHDR) ==
	    image->set->singlehdr)
		return true;
	errormsg_set("it is damaged, and it was made with%s OPTION SINGLEHDR",
		     image->set->singlehdr ? "out" : "");
	return false;
}

/*
 * Guesses what a header with a wrong checksum was before it was damaged. features, machine:
 * whether the guess keeps these fields of the header; else it has those that a pool made here
 * would have. The guess keeps the header's checksum.
 */
static void guess(const struct pool_header *h, const struct uuid *parent,
		  const struct uuid *part, bool features, bool machine,
		  struct pool_header *out)
{
	uint32_t compat = le32_to_cpu(h->compat);
	uint32_t incompat = le32_to_cpu(h->incompat);

	pool_header_make(out, compat & POOL_COMPAT_CHECK_BAD_BLOCKS,
			 incompat & POOL_INCOMPAT_KNOWN, parent, part, 1, 0,
			 le64_to_cpu(h->crtime));
	if (features) {
		out->major = h->major;
		out->compat = h->compat;
		out->incompat = h->incompat;
		out->ro_compat = h->ro_compat;
	}
	if (machine)
		out->arch = h->arch;
	out->sds = h->sds;
	out->checksum = h->checksum;
}

/* Whether the header's checksum is right for some guess. This proves the guess. */
static bool find_proven(const struct image *image, const struct witness *witness,
			const struct uuid *part, struct pool_header *out)
{
	const struct pool_header *h = image->header;
	const struct uuid *parent[2] = {&h->poolset_uuid,
					witness ? &witness->parent : &h->poolset_uuid};

	for (unsigned i = 0; i < 8; i++) {
		guess(h, parent[i & 1], part, i & 2, i & 4, out);
		if (pool_header_is_sealed(out))
			return true;
	}
	return false;
}

/* Makes a header with a wrong checksum anew. Any of its fields may be wrong. */
static bool rebuild_broken(const struct image *image, const struct witness *witness,
			   const struct uuid *part, unsigned links,
			   struct pool_header *fresh)
{
	const struct pool_header *h = image->header;
	uint32_t compat = le32_to_cpu(h->compat);
	uint32_t incompat = le32_to_cpu(h->incompat);
	bool is_whole = is_named(h) && links >= NLINKS - 1;

	if (!witness && !is_whole)
		return false;
	if (find_proven(image, witness, part, fresh))
		return is_for_us(image, fresh);
	/* Most of the header is left: these fields are more likely unknown than damaged. */
	if (is_whole && (h->ro_compat.raw || le32_to_cpu(h->major) != POOL_MAJOR ||
			 incompat & ~POOL_INCOMPAT_KNOWN)) {
		errormsg_set("it is damaged, and its version %u or its features "
			     "%#x/%#x/%#x are not known here",
			     le32_to_cpu(h->major), compat, incompat,
			     le32_to_cpu(h->ro_compat));
		return false;
	}
	if (!is_named(h) || compat & ~POOL_COMPAT_CHECK_BAD_BLOCKS)
		compat = POOL_COMPAT_CHECK_BAD_BLOCKS;
	if (!is_named(h) || incompat & ~POOL_INCOMPAT_KNOWN)
		incompat = POOL_INCOMPAT_CKSUM_2K | POOL_INCOMPAT_SDS;
	incompat &= ~POOL_INCOMPAT_SINGLEHDR;
	if (image->set->singlehdr)
		incompat |= POOL_INCOMPAT_SINGLEHDR;
	pool_header_make(fresh, compat, incompat,
			 witness ? &witness->parent : &h->poolset_uuid, part, 1, 0,
			 le64_to_cpu(h->crtime));
	return true;
}

/* Makes the header anew. false: it is not known how it was made. */
static bool rebuild(const struct image *image, const struct witness *witness,
		    struct pool_header *fresh)
{
	const struct pool_header *h = image->header;
	struct uuid part;
	unsigned links = count_links(h, &part);
	bool done;

	if (image->nheader != 1)
		return false;
	/* If the links do not tell the part's uuid, a new one is as good. */
	if ((links < NLINKS - 1 || pool_header_is_zero(h)) && uuid_generate(&part) < 0)
		return false;
	if (pool_header_is_sealed(h) && !pool_header_is_zero(h))
		done = rebuild_sound(image, witness, &part, links, fresh);
	else
		done = rebuild_broken(image, witness, &part, links, fresh);
	if (done && pool_header_keeps_sds(fresh))
		fresh->sds = h->sds;
	return done;
}

/* A header with a right checksum was written like that, and is not damaged, whatever it says. */
static bool is_damaged(const struct image *image)
{
	for (unsigned i = 0; i < image->nheader; i++)
		if (!pool_header_is_sealed(&image->header[i]) ||
		    pool_header_is_zero(&image->header[i]))
			return true;
	return false;
}

int header_repair(struct image *image, struct plan *plan)
{
	const struct pool_header *h = image->header;
	struct witness witness;
	struct pool_header fresh;
	bool seen = witness_find(image, &witness);
	int ret;

	if (image_check_headers(image) == 0) {
		if (h->ro_compat.raw == 0)
			return 0;
		return plan_note_hopeless(plan,
					  "header: features that are not known here: "
					  "ro_compat %#x; the pool can only be read",
					  le32_to_cpu(h->ro_compat));
	}
	if (!seen && !is_named(h))
		return -EINVAL;
	if (!rebuild(image, seen ? &witness : NULL, &fresh))
		return is_damaged(image)
			   ? plan_note_hopeless(plan, "header: %s", errormsg_get())
			   : -EINVAL;
	ret = plan_note(plan, "header: %s; it is made anew", errormsg_get());
	if (ret == 0)
		ret = plan_change(plan, image, PLAN_HEADER, 0, &fresh, sizeof(fresh));
	image_load_params(image);
	return ret;
}

int header_repair_descriptor(struct image *image, struct plan *plan)
{
	const struct btt_params *p = &image->params;
	struct witness witness;
	le32 bsize;
	int ret;

	if (plan->cannot_be_mended)
		return 0;
	if (!witness_find(image, &witness) || !uuid_equals(&witness.parent, &p->parent)) {
		uint64_t nblock;

		if (btt_geometry_count(p->data_size, p->bsize, &nblock) == 0)
			return 0;
		return plan_note_hopeless(plan,
					  "descriptor: blocks of %u bytes do not fit the "
					  "pool, and no info block "
					  "tells the right size",
					  p->bsize);
	}
	if (witness.bsize == p->bsize)
		return 0;
	ret =
	    plan_note(plan, "descriptor: block size %u is wrong: the info block says %u",
		      p->bsize, witness.bsize);
	if (ret < 0)
		return ret;
	bsize = cpu_to_le32(witness.bsize);
	ret = plan_change(plan, image, PLAN_HEADER,
			  POOL_DESCRIPTOR_OFF + offsetof(struct pool_descriptor, bsize),
			  &bsize, sizeof(bsize));
	image_load_params(image);
	return ret;
}

/* Sets the shutdown state to closed, and makes a new checksum if that covers the state. */
static void close_header(struct pool_header *h, const struct shutdown_state *modules)
{
	shutdown_state_make(&h->sds, modules, false);
	if (!pool_header_keeps_sds(h))
		pool_header_seal(h);
}

int header_repair_shutdown_state(struct image *image, struct plan *plan)
{
	struct pool_header h = *image->header;
	struct shutdown_state modules;
	int ret;

	if (plan->cannot_be_mended || !pool_header_has(h.incompat, POOL_INCOMPAT_SDS))
		return 0;
	ret = image_read_modules(image, &modules);
	if (ret < 0 || shutdown_state_check(&h.sds, &modules, image->path) == 0)
		return ret;
	ret = plan_note(plan,
			"shutdown state: %s; it is set to closed, although blocks "
			"written last may be old ones",
			errormsg_get());
	if (ret < 0)
		return ret;
	close_header(&h, &modules);
	ret = plan_change(plan, image, PLAN_HEADER, 0, &h, sizeof(h));
	image_load_params(image);
	return ret;
}
