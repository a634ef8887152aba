/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks at compile time that the structs agree with FORMAT.md. There is no code here. */
#include "base/pool_format.h"

#include <assert.h>
#include <stddef.h>

#define AT(type, field, off) static_assert(offsetof(struct type, field) == (off), #field)

static_assert(sizeof(struct uuid) == 16, "uuid");

static_assert(sizeof(struct pool_arch) == 16, "pool_arch");
AT(pool_arch, alignment, 0);
AT(pool_arch, machine_class, 8);
AT(pool_arch, data_encoding, 9);
AT(pool_arch, reserved, 10);
AT(pool_arch, machine, 14);

static_assert(sizeof(struct pool_sds) == 64, "pool_sds");
AT(pool_sds, usc, 0);
AT(pool_sds, uuid, 8);
AT(pool_sds, dirty, 16);
AT(pool_sds, reserved, 17);
AT(pool_sds, checksum, 56);

static_assert(sizeof(struct pool_header) == POOL_PAGE, "pool_header");
AT(pool_header, signature, 0);
AT(pool_header, major, 8);
AT(pool_header, compat, 12);
AT(pool_header, incompat, 16);
AT(pool_header, ro_compat, 20);
AT(pool_header, poolset_uuid, 24);
AT(pool_header, uuid, 40);
AT(pool_header, prev_part_uuid, 56);
AT(pool_header, next_part_uuid, 72);
AT(pool_header, prev_repl_uuid, 88);
AT(pool_header, next_repl_uuid, 104);
AT(pool_header, crtime, 120);
AT(pool_header, arch, 128);
AT(pool_header, unused, 144);
AT(pool_header, unused2, 2048);
AT(pool_header, sds, 4024);
AT(pool_header, checksum, 4088);

static_assert(sizeof(struct pool_descriptor) == 48, "pool_descriptor");
AT(pool_descriptor, bsize, 0);
AT(pool_descriptor, is_zeroed, 4);
AT(pool_descriptor, base, 8);
AT(pool_descriptor, data, 32);
AT(pool_descriptor, data_size, 40);

static_assert(POOL_DESCRIPTOR_OFF == sizeof(struct pool_header), "descriptor");
static_assert(POOL_MIN_SIZE == 16785408, "smallest pool");
static_assert(sizeof(POOL_SIGNATURE) == 8, "signature");

/* ISO C does not allow an empty compilation unit. */
typedef int pool_format_check_is_compile_time_only;
