/* SPDX-License-Identifier: BSD-3-Clause */
/* The conditions of pmemblk_open and pmemblk_check, and of the calls about blocks. */
#include "conditions.h"

#include <libpmemblk.h>

#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "support.h"

static void make_laid_out(struct conditions_env *e)
{
	char block[512] = "data";
	PMEMblkpool *p;

	conditions_make_pool(e);
	p = pmemblk_open(e->path, 512);
	assert_non_null(p);
	for (int i = 0; i < 10; i++)
		assert_int_equal(pmemblk_write(p, block, i), 0);
	pmemblk_close(p);
}

static uint64_t copy_off(const char *path)
{
	return IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_INFOOFF);
}

static uint64_t map_off(const char *path, unsigned i)
{
	return IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_MAPOFF) + 4 * i;
}

static uint64_t flog_off(const char *path, unsigned slot)
{
	return IMAGE_DATA + image_get64(path, IMAGE_DATA + INFO_FLOGOFF) + 64 * slot;
}

static void put_header(struct conditions_env *e, uint64_t off, uint32_t value)
{
	conditions_make_pool(e);
	image_put32(e->path, off, value);
	image_seal_header(e->path, 0);
}

static void put_info(struct conditions_env *e, uint64_t field, uint64_t value, bool wide)
{
	make_laid_out(e);
	if (wide)
		image_put64(e->path, IMAGE_DATA + field, value);
	else
		image_put32(e->path, IMAGE_DATA + field, (uint32_t)value);
	image_seal_info(e->path, IMAGE_DATA);
}

/* --- open and check --------------------------------------------------------------------- */

static void o_bsize(struct conditions_env *e)
{
	conditions_make_pool(e);
	e->bsize = 1024;
}
static void o_missing(struct conditions_env *e)
{
	(void)e;
}
static void o_directory(struct conditions_env *e)
{
	e->path = conditions_dir;
}
static void o_empty(struct conditions_env *e)
{
	image_make_zero(e->path, 0);
}
static void o_tiny(struct conditions_env *e)
{
	image_make_zero(e->path, 2097151);
}
static void o_zeros(struct conditions_env *e)
{
	image_make_zero(e->path, 2097152);
}
static void o_signature(struct conditions_env *e)
{
	conditions_make_pool(e);
	image_write(e->path, 0, "PMEMOBJ", 8);
	image_seal_header(e->path, 0);
}
static void o_major(struct conditions_env *e)
{
	put_header(e, IMAGE_MAJOR, 2);
}
static void o_incompat(struct conditions_env *e)
{
	put_header(e, IMAGE_INCOMPAT, 0xe);
}
static void o_ro_compat(struct conditions_env *e)
{
	put_header(e, IMAGE_RO_COMPAT, 1);
}
static void o_compat(struct conditions_env *e)
{
	put_header(e, IMAGE_COMPAT, 0x80000001);
}
static void o_singlehdr(struct conditions_env *e)
{
	put_header(e, IMAGE_INCOMPAT, 0x7);
}
static void o_checksum(struct conditions_env *e)
{
	conditions_make_pool(e);
	image_flip(e->path, 4088);
}
static void o_arch(struct conditions_env *e)
{
	put_header(e, IMAGE_ARCH, 1);
}
static void o_part_uuid(struct conditions_env *e)
{
	put_header(e, IMAGE_PREV_PART, 1);
}
static void o_replica_uuid(struct conditions_env *e)
{
	put_header(e, IMAGE_PREV_REPL, 1);
}
static void o_truncated(struct conditions_env *e)
{
	conditions_make_pool(e);
	assert_int_equal(truncate(e->path, 16781312), 0);
}
static void o_sds(struct conditions_env *e)
{
	conditions_make_pool(e);
	image_put64(e->path, IMAGE_SDS, 7);
	image_put32(e->path, IMAGE_SDS + 16, 1);
	image_seal_sds(e->path, 0);
}
static void o_info_bsize(struct conditions_env *e)
{
	put_info(e, INFO_EXTERNAL_LBASIZE, 513, false);
}
static void o_info_nfree(struct conditions_env *e)
{
	put_info(e, INFO_NFREE, 0, false);
}
static void o_info_nlba(struct conditions_env *e)
{
	put_info(e, INFO_EXTERNAL_NLBA, 0, false);
}
static void o_info_nextoff(struct conditions_env *e)
{
	put_info(e, INFO_NEXTOFF, 4096, true);
}
static void o_info_bad(struct conditions_env *e)
{
	make_laid_out(e);
	image_flip(e->path, IMAGE_DATA + INFO_SIG);
}
static void o_flog_lba(struct conditions_env *e)
{
	make_laid_out(e);
	image_put32(e->path, flog_off(e->path, 3), 0x7fffffff);
}
static void o_flog_seq(struct conditions_env *e)
{
	make_laid_out(e);
	image_put32(e->path, flog_off(e->path, 200) + 16 + 12, 1);
}
static void o_map_range(struct conditions_env *e)
{
	make_laid_out(e);
	image_put32(e->path, map_off(e->path, 5), 0xffffffff);
}
static void o_map_twice(struct conditions_env *e)
{
	make_laid_out(e);
	image_put32(e->path, map_off(e->path, 5),
		    image_get32(e->path, map_off(e->path, 6)));
}
static void o_map_free(struct conditions_env *e)
{
	make_laid_out(e);
	image_put32(e->path, map_off(e->path, 5),
		    0xc0000000 | image_get32(e->path, flog_off(e->path, 200) + 4));
}
static void o_info_flag(struct conditions_env *e)
{
	uint64_t copy;

	put_info(e, INFO_FLAGS, 1, false);
	copy = copy_off(e->path);
	image_put32(e->path, copy + INFO_FLAGS, 1);
	image_seal_info(e->path, copy);
}
static void o_recovery_file(struct conditions_env *e)
{
	conditions_make_pool(e);
	image_make_zero(conditions_path("pool_r0_p0_badblocks.txt"), 0);
}
static void o_twice(struct conditions_env *e)
{
	conditions_make_pool(e);
	e->keep_open = true;
}
static void o_no_permission(struct conditions_env *e)
{
	conditions_make_pool(e);
	assert_int_equal(chmod(e->path, 0444), 0);
	e->as_nobody = true;
}

/* --- blocks ------------------------------------------------------------------------------ */

static void b_negative(struct conditions_env *e)
{
	make_laid_out(e);
	e->blockno = -1;
}
static void b_beyond(struct conditions_env *e)
{
	make_laid_out(e);
	e->blockno = 40315;
}
static void b_read_only(struct conditions_env *e)
{
	make_laid_out(e);
	image_put32(e->path, IMAGE_RO_COMPAT, 4);
	image_seal_header(e->path, 0);
}
static void b_read_only_negative(struct conditions_env *e)
{
	b_read_only(e);
	e->blockno = -1;
}
static void b_error_state(struct conditions_env *e)
{
	PMEMblkpool *p;

	make_laid_out(e);
	p = pmemblk_open(e->path, 0);
	assert_non_null(p);
	e->blockno = 7;
	assert_int_equal(pmemblk_set_error(p, e->blockno), 0);
	pmemblk_close(p);
}
static void b_map_range(struct conditions_env *e)
{
	o_map_range(e);
	e->blockno = 5;
}

const struct condition conditions_of_open[] = {
    {"valid pool", conditions_make_pool},
    {"bsize != stored", o_bsize},
    {"missing", o_missing},
    {"directory", o_directory},
    {"empty path component ENOTDIR", conditions_under_a_file},
    {"0-byte file (library crashes)", o_empty},
    {"file 1..2097151 bytes", o_tiny},
    {">=2 MiB of zeros", o_zeros},
    {"fifo", conditions_fifo},
    {"/dev/null", conditions_null_device},
    {"signature differs", o_signature},
    {"major=2", o_major},
    {"unknown incompat bit", o_incompat},
    {"unknown ro_compat bit (pool read-only)", o_ro_compat},
    {"unknown compat bit", o_compat},
    {"SINGLEHDR bit without set option", o_singlehdr},
    {"bad header checksum", o_checksum},
    {"arch flags differ", o_arch},
    {"part uuid mismatch", o_part_uuid},
    {"replica uuid mismatch", o_replica_uuid},
    {"file truncated below 16785408 but >= 2 MiB", o_truncated},
    {"SDS dirty and usc/uuid differ", o_sds},
    {"BTT ext_lbasize != descriptor bsize", o_info_bsize},
    {"BTT nfree=0", o_info_nfree},
    {"BTT ext_nlba=0", o_info_nlba},
    {"BTT nextoff not 0 / not 2^39", o_info_nextoff},
    {"BTT info signature/checksum/parent bad (treated as unformatted)", o_info_bad},
    {"flog lba >= nblock (either slot)", o_flog_lba},
    {"flog pair with equal seq (arena read-only)", o_flog_seq},
    {"map entry >= int_nlba", o_map_range},
    {"map duplicate", o_map_twice},
    {"map entry equals a free block", o_map_free},
    {"info error flag set", o_info_flag},
    {"<path>_r0_p0_badblocks.txt exists and CHECK_BAD_BLOCKS set", o_recovery_file},
    {"already open (same or other process)", o_twice},
    {"no write permission", o_no_permission},
    {NULL, NULL},
};

const struct condition conditions_of_blocks[] = {
    {"blockno<0", b_negative},
    {"blockno>=nblock", b_beyond},
    {"valid", make_laid_out},
    {"read-only pool (ro_compat)", b_read_only},
    {"read-only pool, blockno<0", b_read_only_negative},
    {"block in error state", b_error_state},
    {"arena error flag", o_info_flag},
    {"unformatted pool, valid blockno", conditions_make_pool},
    {"map entry points past the data area", b_map_range},
    {NULL, NULL},
};
