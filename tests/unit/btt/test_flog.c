/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "btt/flog.h"
#include "vectors.h"

static void the_current_record_is_the_vectors(void **state)
{
	struct vectors v;

	(void)state;
	vectors_open(&v, "flog-select.csv", ',', 3);
	while (vectors_next(&v)) {
		uint32_t seq[2];
		int want = strcmp(v.field[2], "error") == 0
			       ? -1
			       : strcmp(v.field[2], "slot1") == 0;

		seq[0] = (uint32_t)strtoul(v.field[0], NULL, 16);
		seq[1] = (uint32_t)strtoul(v.field[1], NULL, 16);
		assert_int_equal(btt_flog_find_current(seq[0], seq[1]), want);
	}
	vectors_close(&v, 100);
}

static void sequence_numbers_go_round_without_zero(void **state)
{
	(void)state;
	assert_int_equal(btt_flog_next_seq(1), 2);
	assert_int_equal(btt_flog_next_seq(2), 3);
	assert_int_equal(btt_flog_next_seq(3), 1);
}

static void halves_are_the_bytes_of_a_record(void **state)
{
	struct btt_flog_slot_media slot;
	struct btt_flog_record r[2];
	le64 half[2] = {cpu_to_le64(btt_flog_first_half(0x11223344, 0x80000005)),
			cpu_to_le64(btt_flog_second_half(0xc0000007, 3))};

	(void)state;
	memset(&slot, 0, sizeof(slot));
	memcpy(&slot.record[1], half, sizeof(half));
	btt_flog_decode(&slot, r);
	assert_int_equal(r[0].seq, 0);
	assert_int_equal(r[1].premap, 0x11223344);
	assert_int_equal(r[1].old_map, 0x80000005);
	assert_int_equal(r[1].new_map, 0xc0000007);
	assert_int_equal(r[1].seq, 3);
}

static void a_pristine_slot_owns_its_block(void **state)
{
	struct btt_flog_slot_media slot;
	struct btt_flog_record r[2];

	(void)state;
	btt_flog_encode_pristine(17, 1000, &slot);
	btt_flog_decode(&slot, r);
	assert_int_equal(r[0].premap, 17);
	assert_int_equal(r[0].old_map, 0x80000000 | 1017);
	assert_int_equal(r[0].new_map, r[0].old_map);
	assert_int_equal(btt_flog_find_current(r[0].seq, r[1].seq), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_current_record_is_the_vectors),
	    cmocka_unit_test(sequence_numbers_go_round_without_zero),
	    cmocka_unit_test(halves_are_the_bytes_of_a_record),
	    cmocka_unit_test(a_pristine_slot_owns_its_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
