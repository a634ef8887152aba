/* SPDX-License-Identifier: BSD-3-Clause */
#include "pool/header.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#include "errormsg.h"
#include "base/fletcher64.h"
#include "base/uuid.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define MACHINE EM_RISCV
#else
#error "the pool format of this machine is not known"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define DATA_ENCODING ELFDATA2LSB
#else
#define DATA_ENCODING ELFDATA2MSB
#endif

/* A nibble for each type: its alignment minus one. */
#define NIBBLE(k, type) ((uint64_t)((_Alignof(type) - 1) & 0xf) << (4 * (k)))

#define ALIGNMENT_DESCRIPTOR                                                             \
	(NIBBLE(0, char) | NIBBLE(1, short) | NIBBLE(2, int) | NIBBLE(3, long) |         \
	 NIBBLE(4, long long) | NIBBLE(5, size_t) | NIBBLE(6, off_t) |                   \
	 NIBBLE(7, float) | NIBBLE(8, double) | NIBBLE(9, long double) |                 \
	 NIBBLE(10, void *))

static struct pool_arch this_machine(void)
{
	return (struct pool_arch){.alignment = cpu_to_le64(ALIGNMENT_DESCRIPTOR),
				  .machine_class = ELFCLASS64,
				  .data_encoding = DATA_ENCODING,
				  .machine = cpu_to_le16(MACHINE)};
}

static uint64_t checksum(const struct pool_header *h)
{
	const size_t field = offsetof(struct pool_header, checksum);
	const size_t skip = pool_header_has(h->incompat, POOL_INCOMPAT_CKSUM_2K)
				? offsetof(struct pool_header, unused2)
				: field;

	return fletcher64(h, sizeof(*h), field, skip);
}

void pool_header_make(struct pool_header *h, uint32_t compat, uint32_t incompat,
		      const struct uuid *poolset, const struct uuid *part, unsigned npart,
		      unsigned index, uint64_t crtime)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->signature, POOL_SIGNATURE, sizeof(h->signature));
	h->major = cpu_to_le32(POOL_MAJOR);
	h->compat = cpu_to_le32(compat);
	h->incompat = cpu_to_le32(incompat);
	h->poolset_uuid = *poolset;
	h->uuid = part[index];
	h->prev_part_uuid = part[(index + npart - 1) % npart];
	h->next_part_uuid = part[(index + 1) % npart];
	h->prev_repl_uuid = part[0];
	h->next_repl_uuid = part[0];
	h->crtime = cpu_to_le64(crtime);
	h->arch = this_machine();
	pool_header_seal(h);
}

bool pool_header_is_zero(const struct pool_header *h)
{
	static const struct pool_header zero;

	return memcmp(h, &zero, sizeof(zero)) == 0;
}

bool pool_header_is_sealed(const struct pool_header *h)
{
	return le64_to_cpu(h->checksum) == checksum(h);
}

void pool_header_seal(struct pool_header *h)
{
	h->checksum = cpu_to_le64(checksum(h));
}

bool pool_header_has(le32 word, uint32_t feature)
{
	return (le32_to_cpu(word) & feature) != 0;
}

bool pool_header_keeps_sds(const struct pool_header *h)
{
	return pool_header_has(h->incompat, POOL_INCOMPAT_SDS) &&
	       pool_header_has(h->incompat, POOL_INCOMPAT_CKSUM_2K);
}

/*
 * Names another pool type. Anything else is printed in hexadecimal, for it may hold control
 * bytes.
 */
static int wrong_signature(const struct pool_header *h, const char *path)
{
	const unsigned char *s = h->signature;

	if (memcmp(s, "PMEMOBJ", 8) == 0 || memcmp(s, "PMEMLOG", 8) == 0)
		return errormsg_fail(EINVAL,
				     "%s is a pool of type %s, not " POOL_SIGNATURE, path,
				     (const char *)s);
	return errormsg_fail(
	    EINVAL,
	    "%s is not a pool: signature %02x%02x%02x%02x%02x%02x%02x%02x, "
	    "expected that of \"" POOL_SIGNATURE "\"",
	    path, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
}

static int check_arch(const struct pool_header *h, const char *path)
{
	const struct pool_arch want = this_machine();

	if (memcmp(&h->arch, &want, sizeof(want)) == 0)
		return 0;
	return errormsg_fail(
	    EINVAL,
	    "%s was made on another kind of machine: machine %u, class %u, encoding %u, "
	    "alignments %#llx; here %u, %u, %u, %#llx",
	    path, le16_to_cpu(h->arch.machine), h->arch.machine_class,
	    h->arch.data_encoding, ULL(le64_to_cpu(h->arch.alignment)), (unsigned)MACHINE,
	    (unsigned)ELFCLASS64, (unsigned)DATA_ENCODING, ULL(ALIGNMENT_DESCRIPTOR));
}

int pool_header_check(const struct pool_header *h, const char *path)
{
	uint32_t major = le32_to_cpu(h->major);
	uint32_t unknown = le32_to_cpu(h->incompat) & ~POOL_INCOMPAT_KNOWN;

	if (pool_header_is_zero(h))
		return errormsg_fail(EINVAL, "%s holds no pool: its header is all zeros",
				     path);
	if (memcmp(h->signature, POOL_SIGNATURE, sizeof(h->signature)) != 0)
		return wrong_signature(h, path);
	if (major != POOL_MAJOR)
		return errormsg_fail(EINVAL, "%s has pool format version %u, expected %u",
				     path, major, POOL_MAJOR);
	if (unknown == POOL_INCOMPAT_LOCKED)
		return errormsg_fail(
		    EINVAL,
		    "%s was interrupted when it grew; pmemblk grow --undo=BACKUP takes "
		    "that back",
		    path);
	if (unknown)
		return errormsg_fail(
		    EINVAL,
		    "%s needs features that are not known here: incompat "
		    "flags %#x, known are %#x",
		    path, le32_to_cpu(h->incompat), POOL_INCOMPAT_KNOWN);
	if (!pool_header_is_sealed(h))
		return errormsg_fail(EINVAL,
				     "the pool header of %s is damaged: checksum %#llx, "
				     "expected %#llx",
				     path, ULL(le64_to_cpu(h->checksum)),
				     ULL(checksum(h)));
	return check_arch(h, path);
}

int pool_header_check_links(const struct pool_header *h, unsigned npart, unsigned index,
			    const char *path)
{
	const struct pool_header *own = &h[index];
	const struct pool_header *prev = &h[(index + npart - 1) % npart];
	const struct pool_header *next = &h[(index + 1) % npart];

	if (!uuid_equals(&own->poolset_uuid, &h->poolset_uuid))
		return errormsg_fail(EINVAL,
				     "part %u, %s, belongs to another pool than part 0",
				     index, path);
	if (!uuid_equals(&own->prev_part_uuid, &prev->uuid) ||
	    !uuid_equals(&own->next_part_uuid, &next->uuid)) {
		if (npart == 1)
			return errormsg_fail(
			    EINVAL,
			    "%s is only one of several parts of a pool, but "
			    "no other part is given",
			    path);
		return errormsg_fail(EINVAL,
				     "%s is not part %u of this pool: parts are missing, "
				     "exchanged or foreign",
				     path, index);
	}
	if (own->major.raw != h->major.raw || own->compat.raw != h->compat.raw ||
	    own->incompat.raw != h->incompat.raw ||
	    own->ro_compat.raw != h->ro_compat.raw)
		return errormsg_fail(EINVAL,
				     "part %u, %s, has version %u and features "
				     "%#x/%#x/%#x, but part 0 has "
				     "%u and %#x/%#x/%#x",
				     index, path, le32_to_cpu(own->major),
				     le32_to_cpu(own->compat), le32_to_cpu(own->incompat),
				     le32_to_cpu(own->ro_compat), le32_to_cpu(h->major),
				     le32_to_cpu(h->compat), le32_to_cpu(h->incompat),
				     le32_to_cpu(h->ro_compat));
	if (index == 0 && (!uuid_equals(&own->prev_repl_uuid, &own->uuid) ||
			   !uuid_equals(&own->next_repl_uuid, &own->uuid)))
		return errormsg_fail(EINVAL, "%s belongs to a pool with replicas", path);
	return 0;
}
