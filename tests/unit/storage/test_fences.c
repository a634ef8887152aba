/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a fence does on persistent memory, and what the fences of mappings say that survive media
 * errors: what is behind a fence that failed must not be stored.
 */
#include "sigbus_fixture.h"

#include <sys/syscall.h>

#include "compiler.h"
#include "storage/pool.h"

static unsigned char *page;
static struct storage s;
static struct storage_step step;
static struct sigbus_watch watch;

static int sync_error; /* of the next one; 0: it works */

SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	if (sync_error) {
		errno = sync_error;
		sync_error = 0;
		return -1;
	}
	return (int)syscall(SYS_msync, addr, len, flags);
}

static void begin(enum storage_medium medium)
{
	page =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(page != MAP_FAILED);
	memset(&watch, 0, sizeof(watch));
	assert_int_equal(sigbus_watch(&watch, page, 4096, 4096), 0);
	storage_pool_init(&s, page, 4096, medium);
	storage_pool_watch(&s, &watch);
	step = (struct storage_step)STORAGE_STEP_INIT;
}

static void end(void)
{
	sigbus_unwatch(&watch);
	munmap(page, 4096);
}

static int store_and_fence(void)
{
	static const unsigned char bytes[8] = {1, 2, 3};

	storage_write(&s, &step, 64, bytes, sizeof(bytes));
	return storage_fence(&s, &step);
}

static void a_fence_fails_after_a_lost_page(void **state)
{
	static const struct {
		enum storage_medium medium;
		int ret;
	} row[] = {{STORAGE_PMEM, -EIO},
		   {STORAGE_FILE, -EIO},
		   {STORAGE_PRIVATE, 0},
		   {STORAGE_VIEW, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		begin(row[i].medium);
		sigbus_enter(&watch);
		assert_int_equal(store_and_fence(), 0);
		lose_at(page);
		assert_int_equal(*(volatile unsigned char *)page, 0xff);
		assert_int_equal(store_and_fence(), row[i].ret);
		assert_true(sigbus_leave(&watch));
		/* the next call has not met it */
		sigbus_enter(&watch);
		assert_int_equal(storage_fence(&s, &step), 0);
		assert_false(sigbus_leave(&watch));
		end();
	}
}

static void a_failed_sync_is_reported_as_it_is(void **state)
{
	(void)state;
	begin(STORAGE_FILE);
	sigbus_enter(&watch);
	sync_error = ENOSPC;
	assert_int_equal(store_and_fence(), -ENOSPC);
	assert_int_equal(store_and_fence(), 0);
	lose_at(page);
	assert_int_equal(*(volatile unsigned char *)page, 0xff);
	sync_error = ENOSPC;
	assert_int_equal(store_and_fence(), -ENOSPC);
	assert_true(sigbus_leave(&watch));
	end();
}

#if defined(__x86_64__) && !SUPPORT_SANITIZED

#include <ucontext.h>

#include "trap_flag.h"

static unsigned nfence;

static void on_trap(int sig, siginfo_t *info, void *context)
{
	static const unsigned char sfence[] = {0x0f, 0xae, 0xf8};
	const ucontext_t *uc = context;

	(void)sig;
	(void)info;
	nfence += memcmp((const void *)uc->uc_mcontext.gregs[REG_RIP], sfence,
			 sizeof(sfence)) == 0;
}

static unsigned count_fences(void)
{
	int ret;

	nfence = 0;
	trap_flag(true);
	ret = storage_fence(&s, &step);
	trap_flag(false);
	assert_int_equal(ret, 0);
	return nfence;
}

/* Nothing else orders stores past the caches, and no other test can see that it is missing. */
static void a_fence_on_persistent_memory_is_a_store_fence(void **state)
{
	struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	struct sigaction old;

	(void)state;
	assert_int_equal(sigaction(SIGTRAP, &trap, &old), 0);
	begin(STORAGE_PMEM);
	assert_int_equal(count_fences(), 1);
	storage_pool_init(&s, page, 4096, STORAGE_PMEM);
	assert_int_equal(count_fences(), 1);
	end();
	assert_int_equal(sigaction(SIGTRAP, &old, NULL), 0);
}

#else

static void a_fence_on_persistent_memory_is_a_store_fence(void **state)
{
	(void)state;
	skip(); /* needs the trap flag of x86-64, and code that may be stopped anywhere */
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_fence_on_persistent_memory_is_a_store_fence),
	    cmocka_unit_test(a_fence_fails_after_a_lost_page),
	    cmocka_unit_test(a_failed_sync_is_reported_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
