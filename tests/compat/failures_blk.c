/* SPDX-License-Identifier: BSD-3-Clause */
#include "failures.h"

#include <libpmemblk.h>
#include <stdio.h>
#include <stdlib.h>

#define POOL_SIZE ((size_t)20 << 20)

static const char *the_pool(void)
{
	return failures_in_folder("pool");
}

static PMEMblkpool *make_pool(void)
{
	PMEMblkpool *p = pmemblk_create(the_pool(), 512, POOL_SIZE, 0644);

	if (!p)
		abort();
	return p;
}

static void make_closed_pool(void)
{
	pmemblk_close(make_pool());
}

/* Each '@' of the text becomes the folder. */
static void make_set(const char *text)
{
	FILE *f = fopen(failures_in_folder("set"), "w");

	if (!f)
		abort();
	fputs("PMEMPOOLSET\n", f);
	for (; *text; text++)
		if (*text == '@')
			fputs(failures_folder, f);
		else
			fputc(*text, f);
	fclose(f);
}

/* --- pmemblk_create ---------------------------------------------------------------------- */

static void create(const char *name, size_t bsize, size_t size)
{
	pmemblk_create(failures_in_folder(name), bsize, size, 0644);
}

static void create_bsize_0(void)
{
	create("pool", 0, POOL_SIZE);
}
static void create_bsize_2_32(void)
{
	create("pool", (size_t)1 << 32, POOL_SIZE);
}
static void create_bsize_large(void)
{
	create("pool", 1 << 20, POOL_SIZE);
}
static void create_small(void)
{
	create("pool", 512, PMEMBLK_MIN_POOL - 4096);
}
static void create_2_63(void)
{
	create("pool", 512, (size_t)1 << 63);
}
static void create_beyond_limit(void)
{
	failures_limit_files(MIB);
	create("pool", 512, POOL_SIZE);
}
static void create_no_memory(void)
{
	failures_limit_memory(32 * MIB);
	create("pool", 512, 64 * MIB);
}
static void create_exists(void)
{
	failures_make_file("pool", POOL_SIZE);
	create("pool", 512, POOL_SIZE);
}
static void create_no_folder(void)
{
	create("missing/pool", 512, POOL_SIZE);
}
static void create_missing(void)
{
	create("pool", 512, 0);
}
static void create_folder(void)
{
	pmemblk_create(failures_folder, 512, 0, 0644);
}
static void create_device(void)
{
	pmemblk_create("/dev/null", 512, 0, 0644);
}
static void create_existing_small(void)
{
	failures_make_file("pool", 4 * MIB);
	create("pool", 512, 0);
}
static void create_existing_used(void)
{
	failures_make_file("pool", POOL_SIZE);
	failures_put("pool", 100, "x", 1);
	create("pool", 512, 0);
}
static void create_locked(void)
{
	make_pool();
	create("pool", 512, 0);
}
static void create_set_empty(void)
{
	make_set("");
	create("set", 512, 0);
}
static void create_set_word(void)
{
	make_set("20M @/a junk\n");
	create("set", 512, 0);
}
static void create_set_option(void)
{
	make_set("OPTION JUNK\n20M @/a\n");
	create("set", 512, 0);
}
static void create_set_relative(void)
{
	make_set("20M a\n");
	create("set", 512, 0);
}
static void create_set_size(void)
{
	make_set("20X @/a\n");
	create("set", 512, 0);
}
static void create_set_small(void)
{
	make_set("1M @/a\n20M @/b\n");
	create("set", 512, 0);
}
static void create_set_differs(void)
{
	failures_make_file("a", 21 * MIB);
	make_set("20M @/a\n");
	create("set", 512, 0);
}
static void create_set_twice(void)
{
	make_set("20M @/a\n20M @/a\n");
	create("set", 512, 0);
}
static void create_set_replica(void)
{
	make_set("20M @/a\nREPLICA\n20M @/b\n");
	create("set", 512, 0);
}

/* --- pmemblk_open and pmemblk_check ------------------------------------------------------------ */

static void open_missing(void)
{
	pmemblk_open(the_pool(), 512);
}
static void open_folder(void)
{
	pmemblk_open(failures_folder, 512);
}
static void open_device(void)
{
	pmemblk_open("/dev/null", 512);
}
static void open_bsize(void)
{
	make_closed_pool();
	pmemblk_open(the_pool(), 1024);
}
static void open_twice(void)
{
	make_pool();
	pmemblk_open(the_pool(), 512);
}
static void open_tiny(void)
{
	failures_make_file("pool", MIB);
	pmemblk_open(the_pool(), 512);
}
static void open_zeros(void)
{
	failures_make_file("pool", POOL_SIZE);
	pmemblk_open(the_pool(), 512);
}
static void open_other_pool(void)
{
	make_closed_pool();
	failures_put("pool", 0, "PMEMOBJ", 8);
	pmemblk_open(the_pool(), 512);
}
static void open_checksum(void)
{
	make_closed_pool();
	failures_put("pool", 1000, "x", 1);
	pmemblk_open(the_pool(), 512);
}
static void open_cut(void)
{
	make_closed_pool();
	failures_make_file("pool", 4 * MIB);
	pmemblk_open(the_pool(), 512);
}
static void open_no_part(void)
{
	make_set("20M @/a\n");
	pmemblk_open(failures_in_folder("set"), 512);
}
static void open_no_memory(void)
{
	make_closed_pool();
	failures_limit_memory(16 * MIB);
	pmemblk_open(the_pool(), 512);
}
static void check_missing(void)
{
	pmemblk_check(the_pool(), 512);
}
static void check_bsize(void)
{
	make_closed_pool();
	pmemblk_check(the_pool(), 1024);
}
static void check_twice(void)
{
	make_pool();
	pmemblk_check(the_pool(), 512);
}
static void check_zeros(void)
{
	failures_make_file("pool", POOL_SIZE);
	pmemblk_check(the_pool(), 512);
}

/* --- blocks and the rest of libpmemblk -------------------------------------------------------- */

static void read_negative(void)
{
	char block[512];

	pmemblk_read(make_pool(), block, -1);
}
static void read_beyond(void)
{
	char block[512];
	PMEMblkpool *p = make_pool();

	pmemblk_read(p, block, (long long)pmemblk_nblock(p));
}
static void read_error(void)
{
	char block[512];
	PMEMblkpool *p = make_pool();

	if (pmemblk_set_error(p, 3) != 0)
		abort();
	pmemblk_read(p, block, 3);
}
static void write_beyond(void)
{
	char block[512] = "";
	PMEMblkpool *p = make_pool();

	pmemblk_write(p, block, (long long)pmemblk_nblock(p));
}
static void set_zero_beyond(void)
{
	PMEMblkpool *p = make_pool();

	pmemblk_set_zero(p, (long long)pmemblk_nblock(p));
}
static void set_error_beyond(void)
{
	PMEMblkpool *p = make_pool();

	pmemblk_set_error(p, (long long)pmemblk_nblock(p));
}
static void ctl_unknown(void)
{
	int value;

	pmemblk_ctl_get(NULL, "prefault.at_noon", &value);
}
static void ctl_null(void)
{
	pmemblk_ctl_get(NULL, "prefault.at_open", NULL);
}
static void blk_major(void)
{
	pmemblk_check_version(2, 0);
}
static void blk_minor(void)
{
	pmemblk_check_version(1, 99);
}

/* --- all of them --------------------------------------------------------------------------- */

const struct failure blk_failures[] = {
    FAILURE(create_bsize_0),
    FAILURE(create_bsize_2_32),
    FAILURE(create_bsize_large),
    FAILURE(create_small),
    FAILURE(create_2_63),
    FAILURE(create_beyond_limit),
    FAILURE(create_no_memory),
    FAILURE(create_exists),
    FAILURE(create_no_folder),
    FAILURE(create_missing),
    FAILURE(create_folder),
    FAILURE(create_device),
    FAILURE(create_existing_small),
    FAILURE(create_existing_used),
    FAILURE(create_locked),
    FAILURE(create_set_empty),
    FAILURE(create_set_word),
    FAILURE(create_set_option),
    FAILURE(create_set_relative),
    FAILURE(create_set_size),
    FAILURE(create_set_small),
    FAILURE(create_set_differs),
    FAILURE(create_set_twice),
    FAILURE(create_set_replica),
    FAILURE(open_missing),
    FAILURE(open_folder),
    FAILURE(open_device),
    FAILURE(open_bsize),
    FAILURE(open_twice),
    FAILURE(open_tiny),
    FAILURE(open_zeros),
    FAILURE(open_other_pool),
    FAILURE(open_checksum),
    FAILURE(open_cut),
    FAILURE(open_no_part),
    FAILURE(open_no_memory),
    FAILURE(check_missing),
    FAILURE(check_bsize),
    FAILURE(check_twice),
    FAILURE(check_zeros),
    FAILURE(read_negative),
    FAILURE(read_beyond),
    FAILURE(read_error),
    FAILURE(write_beyond),
    FAILURE(set_zero_beyond),
    FAILURE(set_error_beyond),
    FAILURE(ctl_unknown),
    FAILURE(ctl_null),
    FAILURE(blk_major),
    FAILURE(blk_minor),
    {0},
};
