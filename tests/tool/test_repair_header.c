/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damaged headers that say something which a repair must not take away: features, versions and
 * machines that are not known here, and the pool's uuid. The checksum in the header tells whether
 * they are part of the damage.
 */
#include "support.h"

#include <libpmemblk.h>

#include "damages.h"
#include "pool_file.h"
#include "run_tool.h"

#define BSIZE 4096u
#define MAJOR offsetof(struct pool_header, major)
#define COMPAT offsetof(struct pool_header, compat)
#define INCOMPAT offsetof(struct pool_header, incompat)
#define RO_COMPAT offsetof(struct pool_header, ro_compat)
#define UUID offsetof(struct pool_header, uuid)
#define CRTIME offsetof(struct pool_header, crtime)
#define MACHINE (offsetof(struct pool_header, arch) + offsetof(struct pool_arch, machine))

static struct pool_file base;
static const char *path;

static int make_base(void **state)
{
	char block[BSIZE] = "x";
	PMEMblkpool *pool;

	(void)state;
	path = support_path(true, "pool");
	pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL, 0600);
	if (!pool)
		return -1;
	if (pmemblk_write(pool, block, 3) != 0)
		return -1;
	pmemblk_close(pool);
	base.p = support_read_file(path, &base.len);
	return btt_geometry_arena(base.len - ARENA, BSIZE, &base.geo);
}

static int free_base(void **state)
{
	(void)state;
	free(base.p);
	free(tool_said);
	return 0;
}

/* The base with other bytes in the header, under a right checksum. */
static struct pool_file make_other(size_t off, uint32_t value)
{
	struct pool_file f = clone_file(&base);

	put32(&f, off, value);
	mend_header(&f);
	return f;
}

/* The file is what f says and stays so, as far as a repair is concerned. */
static void assert_beyond_repair(struct pool_file *f, const char *why)
{
	store_file(path, f);
	assert_int_equal(tool_run(cmd_check, path, NULL), 1);
	assert_int_equal(tool_run(cmd_repair, "-n", path, NULL), 1);
	assert_int_equal(tool_run(cmd_repair, path, NULL), 1);
	if (!strstr(tool_said, why) || !strstr(tool_said, "cannot be repaired"))
		fail_msg("it does not say '%s': %s", why, tool_said);
	assert_true(is_file(path, f));
	free(f->p);
}

static void assert_repaired_to(struct pool_file *damaged, const struct pool_file *sound)
{
	unlink(support_path(true, "pool.undo"));
	store_file(path, damaged);
	if (tool_run(cmd_repair, path, NULL) != 0)
		fail_msg("not repaired: %s", tool_said);
	assert_true(is_file(path, sound));
	free(damaged->p);
}

static const struct {
	size_t off;
	uint32_t value;
	const char *why;
} strange[] = {{RO_COMPAT, 1, "0x1 are not known here"},
	       {INCOMPAT, 0x106, "0x106"},
	       {MAJOR, 2, "version 2"}};

/* --- proven by the checksum ------------------------------------------------------------------ */

static void features_that_are_not_known_outlast_a_damaged_uuid(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
		struct pool_file f = make_other(strange[i].off, strange[i].value);

		f.p[UUID + 5] ^= 1;
		assert_beyond_repair(&f, strange[i].why);
	}
}

static void another_machine_s_pool_stays_one(void **state)
{
	struct pool_file f = make_other(MACHINE, 0x1234);

	(void)state;
	f.p[UUID + 5] ^= 1;
	assert_beyond_repair(&f, "another kind of machine");
}

static void a_part_of_a_set_with_one_header_is_no_pool(void **state)
{
	struct pool_file f =
	    make_other(INCOMPAT, POOL_INCOMPAT_SINGLEHDR | POOL_INCOMPAT_CKSUM_2K);

	(void)state;
	f.p[UUID + 5] ^= 1;
	assert_beyond_repair(&f, "with OPTION SINGLEHDR");
}

static void what_the_checksum_tells_to_be_damage_is_mended(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
		struct pool_file f = clone_file(&base);

		put32(&f, strange[i].off, strange[i].value);
		f.p[UUID + 5] ^= 1;
		assert_repaired_to(&f, &base);
	}
}

/* The lock of a grow that was complete is taken away, but not by a guess about the rest. */
static void a_lock_is_taken_from_a_sound_header_only(void **state)
{
	uint32_t incompat = get32(&base, INCOMPAT) | POOL_INCOMPAT_LOCKED;
	struct pool_file f = make_other(INCOMPAT, incompat);

	(void)state;
	assert_repaired_to(&f, &base);
	f = make_other(INCOMPAT, incompat);
	put32(&f, CRTIME, get32(&f, CRTIME) ^ 1);
	assert_beyond_repair(&f, "features 0x1/0x80000006");
	/* a part of another set */
	f = make_other(INCOMPAT, incompat | POOL_INCOMPAT_SINGLEHDR);
	store_file(path, &f);
	assert_int_equal(tool_run(cmd_repair, path, NULL), 3);
	assert_non_null(strstr(tool_said, "was interrupted when it grew"));
	assert_null(strstr(tool_said, "is unlocked"));
	assert_true(is_file(path, &f));
	free(f.p);
}

/* A file in which a pool was made where another one had been, and not yet laid out. */
static void info_blocks_of_an_earlier_pool_do_not_name_this_one(void **state)
{
	struct pool_file sound = clone_file(&base);
	struct pool_file f;

	(void)state;
	for (size_t i = 0; i < UUID_SIZE; i++)
		sound.p[offsetof(struct pool_header, poolset_uuid) + i] ^= 0x5a;
	put32(&sound, POOL_DESCRIPTOR_OFF + 4, 0); /* not made of zeros */
	mend_header(&sound);
	store_file(path, &sound);
	assert_int_equal(pmemblk_check(path, 0), 1);
	f = clone_file(&sound);
	f.p[UUID + 5] ^= 1;
	assert_repaired_to(&f, &sound);
	free(sound.p);
}

/* --- not proven ------------------------------------------------------------------------------ */

/* The time of creation is stored nowhere else. */
static void features_that_may_be_real_are_not_taken_away(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
		struct pool_file f = make_other(strange[i].off, strange[i].value);

		f.p[CRTIME + 1] ^= 1;
		assert_beyond_repair(&f, "not known here");
	}
}

/* Whether there is one header for several files is seen without the header. */
static void the_option_of_a_set_is_what_the_files_are(void **state)
{
	const char *set = support_path(true, "set");
	const char *part = support_path(true, "part0");
	struct pool_file f = clone_file(&base);
	struct pool_file sound;
	PMEMblkpool *pool;
	char text[1024];

	(void)state;
	put32(&f, INCOMPAT, get32(&f, INCOMPAT) | POOL_INCOMPAT_SINGLEHDR);
	assert_repaired_to(&f, &base);

	snprintf(text, sizeof(text), "PMEMPOOLSET\nOPTION SINGLEHDR\n9M %s\n9M %s\n",
		 part, support_path(true, "part1"));
	support_write_file(set, text, strlen(text));
	pool = pmemblk_create(set, BSIZE, 0, 0600);
	assert_non_null(pool);
	pmemblk_close(pool);
	sound = load_file(part, &base);
	f = clone_file(&sound);
	put32(&f, INCOMPAT, get32(&f, INCOMPAT) & ~POOL_INCOMPAT_SINGLEHDR);
	store_file(part, &f);
	assert_int_equal(tool_run(cmd_check, set, NULL), 1);
	assert_int_equal(tool_run(cmd_repair, set, NULL), 0);
	assert_true(is_file(part, &sound));
	free(f.p);
	free(sound.p);
}

/* Features that nobody knows tell nothing, and none do in a header without its signature. */
static void features_are_those_of_a_new_pool_where_nothing_tells_them(void **state)
{
	struct pool_file f = clone_file(&base);

	(void)state;
	put32(&f, COMPAT, 0x100);
	assert_repaired_to(&f, &base);
	f = clone_file(&base);
	f.p[0] ^= 1;
	put32(&f, COMPAT, 0);
	assert_repaired_to(&f, &base);
	f = clone_file(&base);
	f.p[0] ^= 1;
	put32(&f, INCOMPAT, 0);
	assert_repaired_to(&f, &base);
}

static void features_that_a_pool_may_have_are_kept(void **state)
{
	static const struct {
		size_t off;
		uint32_t value;
	} features[] = {
	    {COMPAT, 0},
	    {COMPAT, POOL_COMPAT_CHECK_BAD_BLOCKS},
	    {INCOMPAT, 0},
	    {INCOMPAT, POOL_INCOMPAT_CKSUM_2K},
	    {INCOMPAT, POOL_INCOMPAT_SDS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		struct pool_file f = make_other(features[i].off, features[i].value);
		struct pool_file sound;

		f.p[CRTIME + 1] ^= 1;
		sound = clone_file(&f);
		mend_header(&sound);
		assert_repaired_to(&f, &sound);
		free(sound.p);
	}
}

static void garbage_is_no_feature(void **state)
{
	struct pool_file f = clone_file(&base);
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < 144; i++)
		f.p[i] = (unsigned char)support_random(&random);
	unlink(support_path(true, "pool.undo"));
	store_file(path, &f);
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	assert_int_equal(pmemblk_check(path, 0), 1);
	free(f.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(features_that_are_not_known_outlast_a_damaged_uuid),
	    cmocka_unit_test(another_machine_s_pool_stays_one),
	    cmocka_unit_test(a_part_of_a_set_with_one_header_is_no_pool),
	    cmocka_unit_test(what_the_checksum_tells_to_be_damage_is_mended),
	    cmocka_unit_test(a_lock_is_taken_from_a_sound_header_only),
	    cmocka_unit_test(info_blocks_of_an_earlier_pool_do_not_name_this_one),
	    cmocka_unit_test(features_that_may_be_real_are_not_taken_away),
	    cmocka_unit_test(the_option_of_a_set_is_what_the_files_are),
	    cmocka_unit_test(features_are_those_of_a_new_pool_where_nothing_tells_them),
	    cmocka_unit_test(features_that_a_pool_may_have_are_kept),
	    cmocka_unit_test(garbage_is_no_feature),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
