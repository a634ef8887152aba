/* SPDX-License-Identifier: BSD-3-Clause */
/* Searches in a pool that its owner is changing. */
#include "support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "btt/nonzero.h"

enum { PAGE = 4096, SEARCHES = 200000 };

/* The owner: its page holds a byte and only zeros in turn. */
static _Noreturn void change_for_ever(_Atomic(unsigned char) *byte)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned char i = 0;; i ^= 1)
		atomic_store_explicit(byte, i, memory_order_relaxed);
}

static void a_search_stays_in_the_page_that_its_owner_clears_meanwhile(void **state)
{
	struct storage s = {.size = PAGE};
	pid_t owner;

	(void)state;
	/* an access behind the page kills */
	s.base = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(s.base != MAP_FAILED);
	assert_int_equal(mprotect(s.base, PAGE, PROT_READ | PROT_WRITE), 0);
	owner = fork();
	assert_true(owner >= 0);
	if (owner == 0)
		change_for_ever((void *)(s.base + PAGE - 1));
	for (int i = 0; i < SEARCHES; i++) {
		uint64_t at = btt_nonzero_find(&s, 0, PAGE);

		assert_true(at == PAGE - 1 || at == PAGE);
	}
	assert_int_equal(kill(owner, SIGKILL), 0);
	assert_int_equal(waitpid(owner, NULL, 0), owner);
	munmap(s.base, 2 * PAGE);
}

static void a_search_finds_the_first_byte_that_is_not_zero(void **state)
{
	static unsigned char image[3 * PAGE];
	struct storage s = {.base = image, .size = sizeof(image)};

	(void)state;
	assert_int_equal(btt_nonzero_find(&s, 0, sizeof(image)), sizeof(image));
	image[PAGE + 7] = 1;
	assert_int_equal(btt_nonzero_find(&s, 0, sizeof(image)), PAGE + 7);
	assert_int_equal(btt_nonzero_find(&s, PAGE + 7, sizeof(image)), PAGE + 7);
	assert_int_equal(btt_nonzero_find(&s, PAGE + 8, sizeof(image)), sizeof(image));
	assert_int_equal(btt_nonzero_find(&s, 0, PAGE + 7), PAGE + 7);
	assert_int_equal(btt_nonzero_find(&s, 0, PAGE + 3), PAGE + 3);
	image[PAGE + 7] = 0;
	image[3 * PAGE - 1] = 1;
	assert_int_equal(btt_nonzero_find(&s, 5, sizeof(image)), 3 * PAGE - 1);
	assert_int_equal(btt_nonzero_find(&s, 5, 3 * PAGE - 1), 3 * PAGE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_search_finds_the_first_byte_that_is_not_zero),
	    cmocka_unit_test(a_search_stays_in_the_page_that_its_owner_clears_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
