/* SPDX-License-Identifier: BSD-3-Clause */
/* What a set file becomes. The sets that are refused are in api/blk/test_poolset_text.c. */
#include "support.h"

#include <string.h>

#include "poolset/parse.h"

static struct poolset *parse(const char *text)
{
	struct poolset *set;

	assert_int_equal(poolset_parse("/set", text, strlen(text), &set), 0);
	assert_non_null(set);
	assert_string_equal(set->path, "/set");
	return set;
}

/* A set with more than one replica cannot be opened, but its parts are looked at first. */
static void only_the_first_replica_gives_parts(void **state)
{
	static const struct {
		const char *text;
		unsigned nreplica;
	} sets[] = {
	    {"PMEMPOOLSET\n20M /a\n30M /b\n", 1},
	    {"PMEMPOOLSET\n20M /a\n30M /b\nREPLICA\n20M /c\n30M /d\n40M /e\n", 2},
	    {"PMEMPOOLSET\n20M /a\n30M /b\nREPLICA host set\n", 2},
	    {"PMEMPOOLSET\n20M /a\n30M /b\nREPLICA\n9M /c\nREPLICA\n9M /d\n", 3},
	    {"PMEMPOOLSET\n20M /a\n30M /b\nREPLICA host set\nREPLICA\n9M /d\n", 3},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		struct poolset *set = parse(sets[i].text);

		assert_int_equal(set->nreplica, sets[i].nreplica);
		assert_int_equal(set->npart, 2);
		assert_string_equal(set->part[0].path, "/a");
		assert_int_equal(set->part[0].size, 20 << 20);
		assert_int_equal(set->part[0].line, 2);
		assert_string_equal(set->part[1].path, "/b");
		assert_int_equal(set->part[1].size, 30 << 20);
		assert_int_equal(set->part[1].line, 3);
		poolset_free(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_the_first_replica_gives_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
