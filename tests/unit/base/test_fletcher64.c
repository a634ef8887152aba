/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "base/fletcher64.h"
#include "vectors.h"

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
	unsigned char buf[4096];
	struct vectors v;

	(void)state;
	vectors_open(&v, "checksum.csv", ',', 5);
	while (vectors_next(&v)) {
		size_t len = strtoul(v.field[0], NULL, 10);
		size_t field_off =
		    v.field[1][0] ? strtoul(v.field[1], NULL, 10) : FLETCHER64_NO_FIELD;

		assert_true(len <= sizeof(buf));
		fill(buf, len, v.field[3]);
		assert_int_equal(
		    fletcher64(buf, len, field_off, strtoul(v.field[2], NULL, 10)),
		    strtoull(v.field[4], NULL, 16));
	}
	vectors_close(&v, 20);
}

static void trailing_zeros_advance_the_high_sum(void **state)
{
	unsigned char buf[16] = {1};

	(void)state;
	assert_int_equal(fletcher64(buf, 4, FLETCHER64_NO_FIELD, 0), 0x0000000100000001);
	assert_int_equal(fletcher64(buf, 16, FLETCHER64_NO_FIELD, 0), 0x0000000400000001);
}

/* The definition in FORMAT.md, word by word. */
static uint64_t add_words(const unsigned char *buf, size_t len, size_t field_off,
			  size_t skip_off)
{
	uint32_t lo = 0;
	uint32_t hi = 0;

	for (size_t off = 0; off < len; off += 4) {
		bool is_field = field_off != FLETCHER64_NO_FIELD && off >= field_off &&
				off < field_off + 8;

		if (!is_field && (skip_off == 0 || off < skip_off))
			lo += buf[off] | (uint32_t)buf[off + 1] << 8 |
			      (uint32_t)buf[off + 2] << 16 | (uint32_t)buf[off + 3] << 24;
		hi += lo;
	}
	return (uint64_t)hi << 32 | lo;
}

static void sums_are_as_defined_wherever_the_field_and_the_end_are(void **state)
{
	const size_t words = 70; /* some rows, and some words behind them */
	unsigned char buf[280];

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (unsigned char)(i * i * 37 + i * 11 + 0xc5);
	for (size_t len = 0; len <= words; len++)
		for (size_t field = 0; field <= words + 1; field++)
			for (size_t skip = 0; skip <= words + 1; skip++) {
				size_t at =
				    field > words ? FLETCHER64_NO_FIELD : 4 * field;

				assert_int_equal(fletcher64(buf, 4 * len, at, 4 * skip),
						 add_words(buf, 4 * len, at, 4 * skip));
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sums_equal_the_vectors),
	    cmocka_unit_test(sums_are_as_defined_wherever_the_field_and_the_end_are),
	    cmocka_unit_test(trailing_zeros_advance_the_high_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
