/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools that cannot survive media errors: there are too many of them, or the handler cannot be
 * installed. The linker puts functions with __wrap_ in place of others.
 */
#include "sigbus_fixture.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "errormsg.h"
#include "held_locks.h"

#define MOST 256

static bool no_keys;
static bool no_query;
static bool no_handler;

int __real_pthread_key_create(pthread_key_t *key, void (*end)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *));

int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *))
{
	return no_keys ? EAGAIN : __real_pthread_key_create(key, end);
}

SUPPORT_INTERPOSE int sigaction(int sig, const struct sigaction *act,
				struct sigaction *old)
{
	static int (*real)(int, const struct sigaction *, struct sigaction *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sigaction");
	if (sig == SIGBUS && (act ? no_handler : no_query)) {
		errno = EPERM;
		return -1;
	}
	return real(sig, act, old);
}

static void (*handler(void))(int)
{
	struct sigaction now;

	assert_int_equal(sigaction(SIGBUS, NULL, &now), 0);
	return now.sa_handler;
}

static char page[4096] __attribute__((aligned(4096)));

static int watch(struct sigbus_watch *w)
{
	return sigbus_watch(w, page, sizeof(page), sizeof(page));
}

/* The first of these has to come before anything else is watched. */
static void a_mapping_is_not_watched_without_a_handler(void **state)
{
	static const struct {
		bool *fails;
		int ret;
	} row[] = {{&no_keys, -ENOMEM}, {&no_query, -EPERM}, {&no_handler, -EPERM}};
	void (*before)(int) = handler();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct sigbus_watch w = {0};

		*row[i].fails = true;
		assert_int_equal(watch(&w), row[i].ret);
		*row[i].fails = false;
		assert_non_null(strstr(errormsg_get(), "cannot handle SIGBUS: "));
		assert_int_equal(w.slot, 0);
		sigbus_unwatch(&w);
		assert_true(handler() == before);
		/* the next one is */
		assert_int_equal(watch(&w), 0);
		assert_true(handler() != before);
		sigbus_enter(&w);
		lose_at(page);
		assert_int_equal(*(volatile unsigned char *)page, 0xff);
		assert_true(sigbus_leave(&w));
		sigbus_unwatch(&w);
		assert_true(handler() == before);
		/* LeakSanitizer looks into it */
		assert_true(mmap(page, sizeof(page), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				 0) != MAP_FAILED);
	}
}

/* Opens the pool, which must fail and leave nothing behind. */
static void expect_open_to_fail(int err, const char *message)
{
	unsigned descriptors = support_count_descriptors();
	unsigned mappings = support_count_mappings(path);

	errno = 0;
	assert_null(pmemblk_open(path, 0));
	assert_int_equal(errno, err);
	if (!strstr(pmemblk_errormsg(), path) || !strstr(pmemblk_errormsg(), message))
		fail_msg("%s", pmemblk_errormsg());
	assert_int_equal(support_count_descriptors(), descriptors);
	assert_int_equal(support_count_mappings(path), mappings);
}

static void a_pool_is_not_opened_without_a_handler(void **state)
{
	(void)state;
	make_pool();
	pmemblk_close(pool);
	no_handler = true;
	expect_open_to_fail(EPERM, "cannot handle SIGBUS: ");
	no_handler = false;
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	assert_int_equal(get(7), 7);
	drop_pool();
}

static void no_more_pools_than_the_handler_has_places_for_are_opened(void **state)
{
	static struct sigbus_watch w[MOST];
	struct sigbus_watch more = {0};
	void (*before)(int) = handler();

	(void)state;
	make_pool();
	pmemblk_close(pool);
	for (unsigned i = 0; i < MOST; i++)
		assert_int_equal(watch(&w[i]), 0);
	assert_int_equal(watch(&more), -ENOMEM);
	assert_non_null(strstr(errormsg_get(), "no more than 256 pools"));
	assert_int_equal(more.slot, 0);
	sigbus_unwatch(&more);
	expect_open_to_fail(ENOMEM, "(sigbus.catch)");
	/* whichever place becomes free is taken, the last one, too */
	for (unsigned i = 0; i < MOST; i += 85) {
		unsigned slot = w[i].slot;

		sigbus_unwatch(&w[i]);
		sigbus_unwatch(&w[i]);
		pool = pmemblk_open(path, 0);
		assert_non_null(pool);
		assert_int_equal(pool->watch.slot, slot);
		lose_page(data_off(7));
		assert_int_equal(get(7), -1);
		assert_int_equal(get(8), 8);
		assert_int_equal(watch(&w[i]), -ENOMEM);
		pmemblk_close(pool);
		assert_int_equal(watch(&w[i]), 0);
	}
	for (unsigned i = 0; i < MOST; i++) {
		assert_true(handler() != before);
		sigbus_unwatch(&w[i]);
	}
	assert_true(handler() == before);
	pool = NULL;
	drop_pool();
}

/* Its parent's handler has not come along, see test_sigbus_signals.c. */
static void a_child_that_cannot_install_the_handler_protects_its_next_pool(void **state)
{
	PMEMblkpool *parents;
	int status;
	pid_t pid;

	(void)state;
	if (support_is_emulated())
		skip();
	signal(SIGBUS, SIG_DFL);
	make_pool();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		no_handler = true;
		if (get(8) != 8)
			_exit(1);
		no_handler = false;
		parents = pool;
		create_pool("next");
		put(7, 7);
		pmemblk_close(parents);
		lose_page(data_off(7));
		if (get(7) != -1)
			_exit(2);
		pmemblk_close(pool);
		_exit(handler() == SIG_DFL ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	drop_pool();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mapping_is_not_watched_without_a_handler),
	    cmocka_unit_test(a_pool_is_not_opened_without_a_handler),
	    cmocka_unit_test(no_more_pools_than_the_handler_has_places_for_are_opened),
	    cmocka_unit_test(
		a_child_that_cannot_install_the_handler_protects_its_next_pool),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
