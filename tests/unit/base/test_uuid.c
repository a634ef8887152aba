/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/uuid.h"
#include "errormsg.h"

static int failure; /* errno of the next call; 0: it works */
static unsigned seen_flags;

SUPPORT_INTERPOSE ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
	if (failure) {
		errno = failure;
		failure = 0;
		return -1;
	}
	seen_flags |= flags;
	return syscall(SYS_getrandom, buf, len, flags);
}

/* RFC 4122, version 4: all bits are random but those of the version and the variant. */
static void a_uuid_is_random_and_says_so(void **state)
{
	unsigned char ever[UUID_SIZE] = {0};
	unsigned char always[UUID_SIZE];

	(void)state;
	memset(always, 0xff, sizeof(always));
	for (int i = 0; i < 200; i++) {
		struct uuid uuid;

		memset(&uuid, i % 2 ? 0xff : 0, sizeof(uuid));
		assert_int_equal(uuid_generate(&uuid), 0);
		for (int k = 0; k < UUID_SIZE; k++) {
			ever[k] |= uuid.bytes[k];
			always[k] &= uuid.bytes[k];
		}
	}
	/* early after the start of the machine it waits */
	assert_int_equal(seen_flags, 0);
	for (int k = 0; k < UUID_SIZE; k++) {
		/* the third group of the text is in little-endian order */
		int fixed = k == 7 ? 0xf0 : k == 8 ? 0xc0 : 0;
		int value = k == 7 ? 0x40 : k == 8 ? 0x80 : 0;

		assert_int_equal(always[k], value);
		assert_int_equal(ever[k], value | (0xff & ~fixed));
	}
}

static void a_signal_is_no_reason_to_fail(void **state)
{
	struct uuid uuid;

	(void)state;
	failure = EINTR;
	assert_int_equal(uuid_generate(&uuid), 0);
	assert_int_equal(uuid.bytes[7] & 0xf0, 0x40);
}

static void without_random_bytes_there_is_no_uuid(void **state)
{
	struct uuid uuid;

	(void)state;
	failure = ENOSYS;
	assert_int_equal(uuid_generate(&uuid), -ENOSYS);
	assert_non_null(strstr(errormsg_get(), "random"));
	assert_non_null(strstr(errormsg_get(), strerror(ENOSYS)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_uuid_is_random_and_says_so),
	    cmocka_unit_test(a_signal_is_no_reason_to_fail),
	    cmocka_unit_test(without_random_bytes_there_is_no_uuid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
