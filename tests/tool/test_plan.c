/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bytes that a plan changes (repair/plan.h). The test plans changes at random, many of them of the
 * same bytes, and makes them itself in a copy of the pool: in the order of planning, and phase by phase.
 */
#include "support.h"

#include <string.h>

#include <libpmemblk.h>

#include "repair/plan.h"
#include "run_tool.h"

#define AT 8192u  /* of the bytes that the tests change */
#define ROOM 256u /* so many */
#define NCHANGE 100u

static struct image image;
static struct plan plan;
static unsigned char old[ROOM];

static int open_image(void **state)
{
	const char *path = support_path(true, "pool");
	PMEMblkpool *pool = pmemblk_create(path, 4096, PMEMBLK_MIN_POOL, 0600);

	(void)state;
	if (!pool)
		return -1;
	pmemblk_close(pool);
	return image_open(path, POOLSET_READ, &image);
}

static int close_image(void **state)
{
	(void)state;
	image_close(&image);
	free(tool_said);
	return 0;
}

static void begin(void)
{
	assert_int_equal(image_refresh(&image), 0);
	plan_init(&plan, 3);
	memcpy(old, image.map.base + AT, ROOM);
}

struct change {
	unsigned off;
	unsigned len;
	unsigned phase;
	unsigned char bytes[64];
};

static void make(unsigned char *bytes, const struct change *c)
{
	memcpy(bytes + c->off, c->bytes, c->len);
}

/* The bytes after these phases, if the changes are made phase by phase. */
static void make_phases(unsigned char *bytes, const struct change *c, size_t n,
			unsigned last)
{
	memcpy(bytes, old, ROOM);
	for (unsigned phase = 0; phase <= last; phase++)
		for (size_t i = 0; i < n; i++)
			if (c[i].phase == phase)
				make(bytes, &c[i]);
}

static void check_ranges(const struct change *c, size_t n)
{
	unsigned char want[ROOM];
	unsigned char bytes[ROOM];
	struct plan_ranges ranges;
	bool touched[ROOM] = {false};
	size_t end = 0;

	assert_int_equal(plan_ranges(&plan, &ranges), 0);
	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < c[i].len; k++)
			touched[c[i].off + k] = true;
	for (size_t i = 0; i < ranges.n; i++) {
		const struct plan_range *r = &ranges.range[i];
		size_t off = r->off - AT;

		for (; end < off; end++)
			assert_false(touched[end]);
		assert_true(off >= end && r->len > 0);
		for (end = off; end < off + r->len; end++)
			assert_true(touched[end]);
		plan_range_old(&plan, &ranges, i, bytes);
		assert_memory_equal(bytes, old + off, r->len);
		for (unsigned phase = 0; phase <= PLAN_NPHASE; phase++) {
			bool any = false;

			for (size_t k = 0; k < n; k++)
				any = any || (c[k].phase == phase && c[k].off >= off &&
					      c[k].off < off + r->len);
			make_phases(want, c, n, phase);
			assert_int_equal(
			    plan_range_after(&plan, &ranges, i, phase, bytes), any);
			assert_memory_equal(bytes, want + off, r->len);
		}
	}
	for (; end < ROOM; end++)
		assert_false(touched[end]);
	plan_ranges_free(&ranges);
	assert_int_equal(ranges.n, 0);
}

static void changes_of_the_same_bytes_become_one_range(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct change c[NCHANGE];
		unsigned char want[ROOM];
		uint64_t random = seed;
		size_t n = 0;

		begin();
		memcpy(want, old, ROOM);
		for (unsigned i = 0; i < 1 + seed % NCHANGE; i++) {
			struct change *x = &c[n];

			x->len = 1u << support_random(&random) % 6;
			x->off =
			    (unsigned)(support_random(&random) % (ROOM - x->len + 1));
			x->phase = (unsigned)(support_random(&random) % PLAN_NPHASE);
			for (unsigned k = 0; k < x->len; k++)
				x->bytes[k] = (unsigned char)support_random(&random);
			assert_int_equal(plan_change(&plan, &image,
						     (enum plan_phase)x->phase,
						     AT + x->off, x->bytes, x->len),
					 0);
			n += memcmp(want + x->off, x->bytes, x->len) != 0;
			make(want, x);
			assert_memory_equal(image.map.base + AT, want, ROOM);
			assert_int_equal(plan.nchange, n);
		}
		check_ranges(c, n);
		assert_int_equal(image_refresh(&image), 0);
		plan_replay(&plan, &image);
		assert_memory_equal(image.map.base + AT, want, ROOM);
		assert_int_equal(image_refresh(&image), 0);
		plan_replay_phases(&plan, &image);
		make_phases(want, c, n, PLAN_NPHASE);
		assert_memory_equal(image.map.base + AT, want, ROOM);
		plan_free(&plan);
	}
}

/* An undo reads no range that is longer than a page. */
static void changes_that_only_touch_stay_apart(void **state)
{
	struct plan_ranges ranges;

	(void)state;
	begin();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
		    plan_change(&plan, &image, PLAN_MAP, AT + 4 * i, "abcd", 4), 0);
	assert_int_equal(plan_ranges(&plan, &ranges), 0);
	assert_int_equal(ranges.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ranges.range[i].off, AT + 4 * i);
		assert_int_equal(ranges.range[i].len, 4);
	}
	plan_ranges_free(&ranges);
	plan_free(&plan);
}

static void what_is_there_already_is_no_change(void **state)
{
	struct plan_ranges ranges;

	(void)state;
	begin();
	assert_int_equal(plan_change(&plan, &image, PLAN_MAP, AT, old, ROOM), 0);
	assert_int_equal(plan.nchange, 0);
	assert_int_equal(plan_ranges(&plan, &ranges), 0);
	assert_int_equal(ranges.n, 0);
	plan_ranges_free(&ranges);
	plan_free(&plan);
}

static enum tool_status print(const struct tool_command *self, int argc, char **argv)
{
	(void)self;
	(void)argc;
	plan_print_findings(&plan, strtoul(argv[1], NULL, 10));
	return TOOL_OK;
}

static void findings_beyond_the_limit_are_counted(void **state)
{
	(void)state;
	begin();
	tool_run(print, "5", NULL);
	assert_string_equal(tool_said, "");
	for (int i = 1; i <= 3; i++)
		assert_int_equal(plan_note(&plan, "finding %d", i), 0);
	tool_run(print, "3", NULL);
	assert_string_equal(tool_said, "finding 1\nfinding 2\nfinding 3\n");
	assert_false(plan.cannot_be_mended);
	assert_int_equal(plan_note_hopeless(&plan, "finding %d", 4), 0);
	assert_true(plan.cannot_be_mended);
	assert_int_equal(plan.findings, 4);
	assert_int_equal(plan.nfinding, 3);
	tool_run(print, "5", NULL);
	assert_string_equal(tool_said,
			    "finding 1\nfinding 2\nfinding 3\n... and 1 more\n");
	tool_run(print, "2", NULL);
	assert_string_equal(tool_said, "finding 1\nfinding 2\n... and 2 more\n");
	plan_free(&plan);
}

static void bases_and_areas_are_kept_in_order(void **state)
{
	(void)state;
	begin();
	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(plan_add_basis(&plan, i, i + 1000), 0);
		assert_int_equal(plan_add_area(&plan, i, i + 2000, i + 3000), 0);
	}
	assert_int_equal(plan.nbasis, 100);
	assert_int_equal(plan.narea, 100);
	for (uint64_t i = 0; i < 100; i++) {
		assert_true(plan.basis[i].off == i && plan.basis[i].len == i + 1000);
		assert_true(plan.area[i].off == i && plan.area[i].len == i + 2000);
		assert_true(plan.area[i].sum == i + 3000);
	}
	plan_free(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changes_of_the_same_bytes_become_one_range),
	    cmocka_unit_test(changes_that_only_touch_stay_apart),
	    cmocka_unit_test(what_is_there_already_is_no_change),
	    cmocka_unit_test(findings_beyond_the_limit_are_counted),
	    cmocka_unit_test(bases_and_areas_are_kept_in_order),
	};

	return cmocka_run_group_tests(tests, open_image, close_image);
}
