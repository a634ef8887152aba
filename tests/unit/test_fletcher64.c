/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "fletcher64.h"

static void fill(unsigned char *buf, size_t len, const char *data)
{
	for (size_t i = 0; i < len; i++) {
		if (strcmp(data, "ff") == 0) {
			buf[i] = 0xff;
		} else if (strncmp(data, "inc", 3) == 0) {
			buf[i] = (unsigned char)(7 * i + 3);
		} else {
			char byte[3] = {data[2 * i], data[2 * i + 1], '\0'};

			buf[i] = (unsigned char)strtoul(byte, NULL, 16);
		}
	}
}

static void sums_equal_the_vectors(void **state)
{
	FILE *f = fopen(support_source("tests/support/vectors/checksum.csv"), "r");
	unsigned char buf[4096];
	char line[16384];
	int rows = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *field[8];
		size_t field_off;
		size_t len;

		if (line[0] == '#' || strncmp(line, "len,", 4) == 0)
			continue;
		assert_int_equal(support_split(line, ',', field, 8), 5);
		len = strtoul(field[0], NULL, 10);
		assert_true(len <= sizeof(buf));
		fill(buf, len, field[3]);
		field_off =
		    field[1][0] ? strtoul(field[1], NULL, 10) : FLETCHER64_NO_FIELD;
		assert_int_equal(
		    fletcher64(buf, len, field_off, strtoul(field[2], NULL, 10)),
		    strtoull(field[4], NULL, 16));
		rows++;
	}
	fclose(f);
	assert_true(rows >= 20);
	print_message("%d vectors\n", rows);
}

static void trailing_zeros_advance_the_high_sum(void **state)
{
	unsigned char buf[16] = {1};

	(void)state;
	assert_int_equal(fletcher64(buf, 4, FLETCHER64_NO_FIELD, 0), 0x0000000100000001);
	assert_int_equal(fletcher64(buf, 16, FLETCHER64_NO_FIELD, 0), 0x0000000400000001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sums_equal_the_vectors),
	    cmocka_unit_test(trailing_zeros_advance_the_high_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
