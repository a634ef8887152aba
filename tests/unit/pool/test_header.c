/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "errormsg.h"
#include "image.h"
#include "pool/header.h"

static struct pool_header load(const char *name)
{
	char path[128];
	struct pool_header h;
	unsigned char *image;
	size_t len;

	snprintf(path, sizeof(path), "tests/support/vectors/%s", name);
	image = support_load_sparse(support_source(path), &len);
	assert_int_equal(len, sizeof(h));
	memcpy(&h, image, sizeof(h));
	free(image);
	return h;
}

static void reseal(struct pool_header *h)
{
	bool half = (le32_to_cpu(h->incompat) & POOL_INCOMPAT_CKSUM_2K) != 0;

	h->checksum = cpu_to_le64(
	    image_fletcher64((unsigned char *)h, 4096, 4088, half ? 2048 : 4088));
}

static int judge(const struct pool_header *h)
{
	int ret = pool_header_check(h, "file");

	return ret ? ret : pool_header_check_links(h, 1, 0, "file");
}

static void headers_of_the_original_are_accepted(void **state)
{
	static const char *const names[] = {
	    "hdr-single-clean.hex", "hdr-single-dirty.hex", "hdr-nosds.hex",
	    "hdr-4k-synthetic.hex", "hdr-singlehdr-p0.hex"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct pool_header h = load(names[i]);

		if (judge(&h) != 0)
			fail_msg("%s: %s", names[i], errormsg_get());
	}
}

static void headers_of_a_set_link_to_each_other(void **state)
{
	struct pool_header h[3] = {load("hdr-set3-p0.hex"), load("hdr-set3-p1.hex"),
				   load("hdr-set3-p2.hex")};
	struct pool_header swapped[3] = {h[0], h[2], h[1]};
	struct pool_header short_set[2] = {h[0], h[1]};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(pool_header_check(&h[i], "file"), 0);
		assert_int_equal(pool_header_check_links(h, 3, i, "file"), 0);
		assert_int_equal(pool_header_check_links(&h[i], 1, 0, "file"), -EINVAL);
	}
	assert_int_equal(pool_header_check_links(swapped, 3, 0, "file"), -EINVAL);
	assert_int_equal(pool_header_check_links(short_set, 2, 0, "file"), -EINVAL);
	h[1].poolset_uuid.bytes[5] ^= 1;
	assert_int_equal(pool_header_check_links(h, 3, 1, "file"), -EINVAL);
	h[1].poolset_uuid.bytes[5] ^= 1;
	h[2].compat = cpu_to_le32(3);
	assert_int_equal(pool_header_check_links(h, 3, 2, "file"), -EINVAL);
}

/* Makes the same header again from its own uuids and time. */
static void assert_reproduced(const struct pool_header *want, const struct uuid *parts,
			      unsigned npart, unsigned index)
{
	struct pool_header h;
	struct pool_header clean = *want;

	pool_header_make(&h, le32_to_cpu(want->compat), le32_to_cpu(want->incompat),
			 &want->poolset_uuid, parts, npart, index,
			 le64_to_cpu(want->crtime));
	memset(&clean.sds, 0, sizeof(clean.sds));
	assert_memory_equal(&h, &clean, sizeof(h));
}

static void headers_made_are_those_of_the_original(void **state)
{
	static const char *const names[] = {"hdr-single-clean.hex",
					    "hdr-single-dirty.hex", "hdr-nosds.hex",
					    "hdr-singlehdr-p0.hex"};
	static const char *const set[] = {"hdr-set3-p0.hex", "hdr-set3-p1.hex",
					  "hdr-set3-p2.hex"};
	struct uuid parts[3];

	(void)state;
#if !defined(__x86_64__)
	print_message("skip: the vectors hold the numbers of x86-64\n");
	return;
#endif
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct pool_header h = load(names[i]);

		assert_reproduced(&h, &h.uuid, 1, 0);
	}
	for (unsigned i = 0; i < 3; i++)
		parts[i] = load(set[i]).uuid;
	for (unsigned i = 0; i < 3; i++) {
		struct pool_header h = load(set[i]);

		assert_reproduced(&h, parts, 3, i);
	}
}

static void each_damaged_field_is_refused_with_a_message(void **state)
{
	static const struct {
		size_t off;
		bool seal;
		const char *word; /* in the message */
	} damages[] = {
	    {0, true, "signature"},
	    {8, true, "version 254, expected 1"},
	    {16, true, "incompat flags 0xf9"},
	    {24, false, "checksum"},
	    {56, true, "only one of several parts"},
	    {72, true, "only one of several parts"},
	    {88, true, "replicas"},
	    {104, true, "replicas"},
	    {128, true, "another kind of machine"},
	    {136, true, "another kind of machine"},
	    {137, true, "another kind of machine"},
	    {138, true, "another kind of machine"},
	    {142, true, "another kind of machine"},
	    {200, false, "checksum"},
	    {4090, false, "checksum"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct pool_header h = load("hdr-single-clean.hex");

		((unsigned char *)&h)[damages[i].off] ^= 0xff;
		if (damages[i].seal)
			reseal(&h);
		assert_int_equal(judge(&h), -EINVAL);
		if (!strstr(errormsg_get(), damages[i].word) ||
		    !strstr(errormsg_get(), "file"))
			fail_msg("byte %zu: %s", damages[i].off, errormsg_get());
	}
}

static void bytes_that_do_not_count_are_not_judged(void **state)
{
	/* crtime, unused, unused2, shutdown state */
	static const size_t sealed[] = {120, 144, 2047};
	static const size_t outside[] = {2048, 4023, 4024, 4040, 4087};

	(void)state;
	for (size_t i = 0; i < sizeof(sealed) / sizeof(sealed[0]); i++) {
		struct pool_header h = load("hdr-single-clean.hex");

		((unsigned char *)&h)[sealed[i]] ^= 0xff;
		reseal(&h);
		assert_int_equal(judge(&h), 0);
	}
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		struct pool_header h = load("hdr-single-clean.hex");

		((unsigned char *)&h)[outside[i]] ^= 0xff;
		assert_int_equal(judge(&h), 0);
		h.incompat = cpu_to_le32(0);
		reseal(&h);
		((unsigned char *)&h)[outside[i]] ^= 0xff;
		assert_int_equal(judge(&h), -EINVAL);
	}
}

static void unknown_features_that_may_be_ignored_are(void **state)
{
	struct pool_header h = load("hdr-single-clean.hex");

	(void)state;
	h.compat = cpu_to_le32(0x80000000);
	h.ro_compat = cpu_to_le32(0x10);
	reseal(&h);
	assert_int_equal(judge(&h), 0);
}

static void other_pool_types_are_named(void **state)
{
	static const char *const types[] = {"PMEMOBJ", "PMEMLOG"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pool_header h = load("hdr-single-clean.hex");

		memcpy(h.signature, types[i], 8);
		reseal(&h);
		assert_int_equal(judge(&h), -EINVAL);
		assert_non_null(strstr(errormsg_get(), types[i]));
	}
}

static void only_a_page_of_zeros_is_zero(void **state)
{
	struct pool_header h = {.major = {0}};

	(void)state;
	assert_true(pool_header_is_zero(&h));
	assert_int_equal(judge(&h), -EINVAL);
	for (size_t i = 0; i < sizeof(h); i += 511) {
		((unsigned char *)&h)[i] = 1;
		assert_false(pool_header_is_zero(&h));
		((unsigned char *)&h)[i] = 0;
	}
}

static void a_changed_header_counts_only_with_a_new_checksum(void **state)
{
	struct pool_header h = load("hdr-single-clean.hex");

	(void)state;
	assert_true(pool_header_is_sealed(&h));
	h.crtime = cpu_to_le64(1);
	assert_false(pool_header_is_sealed(&h));
	assert_int_equal(judge(&h), -EINVAL);
	pool_header_seal(&h);
	assert_true(pool_header_is_sealed(&h));
	assert_int_equal(judge(&h), 0);
}

static void the_shutdown_state_is_kept_only_outside_the_checksum(void **state)
{
	struct pool_header h = load("hdr-single-clean.hex");

	(void)state;
	assert_true(pool_header_keeps_sds(&h));
	h.incompat = cpu_to_le32(POOL_INCOMPAT_SDS);
	assert_false(pool_header_keeps_sds(&h));
	h.incompat = cpu_to_le32(POOL_INCOMPAT_CKSUM_2K);
	assert_false(pool_header_keeps_sds(&h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(headers_of_the_original_are_accepted),
	    cmocka_unit_test(headers_of_a_set_link_to_each_other),
	    cmocka_unit_test(headers_made_are_those_of_the_original),
	    cmocka_unit_test(each_damaged_field_is_refused_with_a_message),
	    cmocka_unit_test(bytes_that_do_not_count_are_not_judged),
	    cmocka_unit_test(unknown_features_that_may_be_ignored_are),
	    cmocka_unit_test(other_pool_types_are_named),
	    cmocka_unit_test(only_a_page_of_zeros_is_zero),
	    cmocka_unit_test(a_changed_header_counts_only_with_a_new_checksum),
	    cmocka_unit_test(the_shutdown_state_is_kept_only_outside_the_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
