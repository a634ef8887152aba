/* SPDX-License-Identifier: BSD-3-Clause */
/* The conditions of pmemblk_create. */
#include "conditions.h"

#include <libpmemblk.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "support.h"

#define MIB ((size_t)1 << 20)

static void make_set(struct conditions_env *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void make_set(struct conditions_env *e, const char *fmt, ...)
{
	char text[2048] = "PMEMPOOLSET\n";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + strlen(text), sizeof(text) - strlen(text), fmt, ap);
	va_end(ap);
	e->path = conditions_path("set");
	e->poolsize = 0;
	support_write_file(e->path, text, strlen(text));
}

static void c_bsize_0(struct conditions_env *e)
{
	e->bsize = 0;
}
static void c_bsize_4g(struct conditions_env *e)
{
	e->bsize = (size_t)1 << 32;
}
static void c_bsize_wraps(struct conditions_env *e)
{
	e->bsize = 0xffffff01;
}
static void c_bsize_too_big(struct conditions_env *e)
{
	e->bsize = 32513;
	e->poolsize = PMEMBLK_MIN_POOL;
}
static void c_small(struct conditions_env *e)
{
	e->poolsize = PMEMBLK_MIN_POOL - 1;
}
static void c_exists(struct conditions_env *e)
{
	image_make_zero(e->path, CONDITIONS_POOL_SIZE);
}
static void c_missing(struct conditions_env *e)
{
	e->poolsize = 0;
}
static void c_no_parent(struct conditions_env *e)
{
	e->path = conditions_path("missing/pool");
}
static void c_dangling(struct conditions_env *e)
{
	assert_int_equal(symlink("nowhere", e->path), 0);
}
static void c_directory(struct conditions_env *e)
{
	e->path = conditions_dir;
	e->poolsize = 0;
}
static void c_existing_small(struct conditions_env *e)
{
	image_make_zero(e->path, PMEMBLK_MIN_POOL - 4096);
	e->poolsize = 0;
}
static void c_existing_used(struct conditions_env *e)
{
	image_make_zero(e->path, CONDITIONS_POOL_SIZE);
	image_flip(e->path, 4095);
	e->poolsize = 0;
}
static void c_locked(struct conditions_env *e)
{
	conditions_make_pool(e);
	e->poolsize = 0;
	e->keep_open = true;
}
static void c_full(struct conditions_env *e)
{
	e->fallocate_err = ENOSPC;
}
static void c_2_63(struct conditions_env *e)
{
	e->poolsize = (size_t)1 << 63;
}
static void c_beyond_fs(struct conditions_env *e)
{
	e->fallocate_err = EFBIG; /* the errno of ext4 beyond 16 TiB */
	e->poolsize = (size_t)1 << 50;
}
static void c_no_permission(struct conditions_env *e)
{
	e->as_nobody = true;
}
static void c_replica(struct conditions_env *e)
{
	make_set(e, "20M %s\nREPLICA\n20M %s\n", conditions_path("a"),
		 conditions_path("b"));
}
static void c_remote_replica(struct conditions_env *e)
{
	make_set(e, "20M %s\nREPLICA host file.set\n", conditions_path("a"));
}
static void c_nohdrs(struct conditions_env *e)
{
	make_set(e, "OPTION NOHDRS\n20M %s\n", conditions_path("a"));
}
static void c_part_small(struct conditions_env *e)
{
	make_set(e, "20M %s\n2097151 %s\n", conditions_path("a"), conditions_path("b"));
}
static void c_set_small(struct conditions_env *e)
{
	make_set(e, "8M %s\n8M %s\n", conditions_path("a"), conditions_path("b"));
}
static void c_set_syntax(struct conditions_env *e)
{
	make_set(e, "20M %s junk\n", conditions_path("a"));
}
static void c_part_differs(struct conditions_env *e)
{
	make_set(e, "20M %s\n", conditions_path("a"));
	image_make_zero(conditions_path("a"), 21 * MIB);
}
static void c_part_twice(struct conditions_env *e)
{
	make_set(e, "20M %s\n20M %s\n", conditions_path("a"), conditions_path("a"));
}
static void c_dir_no_singlehdr(struct conditions_env *e)
{
	assert_int_equal(mkdir(conditions_path("d"), 0755), 0);
	make_set(e, "20M %s\n", conditions_path("d"));
}
static void c_dir_twice(struct conditions_env *e)
{
	assert_int_equal(mkdir(conditions_path("d"), 0755), 0);
	make_set(e, "OPTION SINGLEHDR\n20M %s\n20M %s\n", conditions_path("d"),
		 conditions_path("d"));
}
static void c_dir_mixed(struct conditions_env *e)
{
	assert_int_equal(mkdir(conditions_path("d"), 0755), 0);
	make_set(e, "OPTION SINGLEHDR\n20M %s\n20M %s\n", conditions_path("d"),
		 conditions_path("a"));
}
static void c_auto(struct conditions_env *e)
{
	make_set(e, "AUTO %s\n", conditions_path("a"));
	image_make_zero(conditions_path("a"), 20 * MIB);
}

const struct condition conditions_of_create[] = {
    {"bsize=0", c_bsize_0},
    {"bsize=2^32", c_bsize_4g},
    {"bsize=0xffffff01 (rounding overflows 32 bit)", c_bsize_wraps},
    {"bsize too big for pool (fewer than 512 internal blocks)", c_bsize_too_big},
    {"0 < poolsize < 16785408 (after page rounding)", c_small},
    {"poolsize>0 and path exists (file, dir, device...)", c_exists},
    {"poolsize=0, path missing", c_missing},
    {"parent dir missing", c_no_parent},
    {"path component not a dir", conditions_under_a_file},
    {"path is dangling symlink, poolsize>0", c_dangling},
    {"poolsize=0, directory", c_directory},
    {"poolsize=0, existing file < 16785408", c_existing_small},
    {"poolsize=0, existing file, any nonzero byte in first 4096", c_existing_used},
    {"poolsize=0, file locked by other opener", c_locked},
    {"poolsize=0, fifo", conditions_fifo},
    {"poolsize=0, /dev/null", conditions_null_device},
    {"no space", c_full},
    {"poolsize >= 2^63", c_2_63},
    {"poolsize > fs max file size", c_beyond_fs},
    {"uid without write permission on dir", c_no_permission},
    {"set with REPLICA section (local)", c_replica},
    {"set with remote REPLICA", c_remote_replica},
    {"set OPTION NOHDRS", c_nohdrs},
    {"set part < 2 MiB", c_part_small},
    {"set net size < 16785408", c_set_small},
    {"set syntax error", c_set_syntax},
    {"existing part size != set size", c_part_differs},
    {"same part listed twice", c_part_twice},
    {"directory part without SINGLEHDR", c_dir_no_singlehdr},
    {"same directory twice", c_dir_twice},
    {"mix file and directory", c_dir_mixed},
    {"AUTO size on existing regular file (errno not set)", c_auto},
    {NULL, NULL},
};
