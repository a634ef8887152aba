/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forks at any moment, while other threads are anywhere in the two libraries. The child has none
 * of these threads. It must go on in bounded time, whatever they held or were about to finish.
 */
#include "fork_fixture.h"

#include <libpmem.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define CHILD_SECONDS 15

static atomic_bool stop;
static atomic_int nready;

struct worker {
	void (*work)(PMEMblkpool *p, int n);
	PMEMblkpool *pool;
	pthread_t thread;
};

static void *keep_working(void *arg)
{
	struct worker *w = arg;

	for (int n = 0; !atomic_load(&stop); n++) {
		w->work(w->pool, n);
		if (n == 0)
			atomic_fetch_add(&nready, 1);
	}
	return NULL;
}

/* Waits until every worker has done its work once. */
static void start_workers(struct worker *w, int n, PMEMblkpool *p)
{
	atomic_store(&stop, false);
	atomic_store(&nready, 0);
	for (int i = 0; i < n; i++) {
		w[i].pool = p;
		assert_int_equal(pthread_create(&w[i].thread, NULL, keep_working, &w[i]),
				 0);
	}
	while (atomic_load(&nready) < n)
		sched_yield();
}

static void stop_workers(struct worker *w, int n)
{
	atomic_store(&stop, true);
	for (int i = 0; i < n; i++)
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
}

static void write_blocks(PMEMblkpool *p, int n)
{
	if (byteblock_put(p, n % 64, n & 0xff) != 0)
		abort();
}

/* --- only writers ------------------------------------------------------------------------- */

static void children_close_the_pool_while_the_owners_threads_write(void **state)
{
	enum { WRITERS = 4, CHILDREN = 40 };
	struct worker w[WRITERS];
	PMEMblkpool *p = create();

	(void)state;
	for (int i = 0; i < WRITERS; i++)
		w[i].work = write_blocks;
	start_workers(w, WRITERS, p);
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			alarm(CHILD_SECONDS);
			if (i % 4 == 1)
				EXPECT(byteblock_get(p, i) >= 0);
			if (i % 8 == 2)
				EXPECT(byteblock_put(p, i, 0) == -1 && errno == EBUSY);
			pmemblk_close(p);
			_exit(0);
		}
		assert_ends_well(pid);
	}
	stop_workers(w, WRITERS);
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

/* --- everything --------------------------------------------------------------------------- */

static const char *other_path;
static const char *new_pool_path;
static const char *map_path;

static void change_blocks(PMEMblkpool *p, int n)
{
	int ret = n % 3 == 0   ? pmemblk_set_zero(p, 100 + n % 8)
		  : n % 3 == 1 ? pmemblk_set_error(p, 100 + n % 8)
			       : byteblock_put(p, 100 + n % 8, n & 0xff);

	if (ret != 0)
		abort();
}

static void read_blocks(PMEMblkpool *p, int n)
{
	char block[512];

	if (pmemblk_read(p, block, 96 + n % 16) != 0 && errno != EIO)
		abort();
}

static void open_and_close(PMEMblkpool *p, int n)
{
	PMEMblkpool *other = pmemblk_open(other_path, 512);

	(void)p;
	(void)n;
	if (other)
		pmemblk_close(other);
	else if (errno != EAGAIN) /* a child has inherited the lock */
		abort();
}

static void create_and_check(PMEMblkpool *p, int n)
{
	PMEMblkpool *fresh;

	(void)p;
	(void)n;
	unlink(new_pool_path);
	fresh = pmemblk_create(new_pool_path, 512, SIZE, 0600);
	if (!fresh)
		abort();
	pmemblk_close(fresh);
	if (pmemblk_check(new_pool_path, 512) != 1 && errno != EAGAIN)
		abort();
}

static void fail_and_ask(PMEMblkpool *p, int n)
{
	char block[512];
	int value;

	(void)n;
	if (pmemblk_read(p, block, -1) != -1 || !strstr(pmemblk_errormsg(), "block") ||
	    pmemblk_ctl_get(NULL, "sds.at_create", &value) != 0 ||
	    pmemblk_ctl_get(NULL, "no.such.name", &value) != -1)
		abort();
}

static void map_and_unmap(PMEMblkpool *p, int n)
{
	size_t len;
	int is_pmem;
	void *addr =
	    pmem_map_file(map_path, 4096, PMEM_FILE_CREATE, 0600, &len, &is_pmem);

	(void)p;
	(void)n;
	if (!addr || pmem_is_pmem(addr, len) < 0 || pmem_has_auto_flush() < 0)
		abort();
	pmem_unmap(addr, len);
}

static void *write_once(void *arg)
{
	write_blocks(arg, 7);
	return NULL;
}

/* Threads come and go, with their numbers, messages and memory. */
static void start_and_join(PMEMblkpool *p, int n)
{
	pthread_t thread;

	(void)n;
	if (pthread_create(&thread, NULL, write_once, p) != 0)
		abort();
	pthread_join(thread, NULL);
}

static void use_everything(PMEMblkpool *p)
{
	char name[64];
	PMEMblkpool *own;
	pthread_t thread;

	alarm(CHILD_SECONDS);
	for (int i = 0; i < 64; i++)
		EXPECT(byteblock_get(p, i) >= 0);
	EXPECT(byteblock_put(p, 0, 0) == -1 && errno == EBUSY);
	fail_and_ask(p, 0);
	snprintf(name, sizeof(name), "child%d", (int)getpid());
	path = support_path(on_pmem, name);
	own = create();
	for (int i = 0; i < 5; i++) {
		EXPECT(pthread_create(&thread, NULL, write_once, own) == 0);
		EXPECT(pthread_join(thread, NULL) == 0);
		change_blocks(own, i);
	}
	pmemblk_close(own);
	EXPECT(pmemblk_check(path, 512) == 1);
	unlink(path);
	map_path = path;
	map_and_unmap(NULL, 0);
	unlink(path);
	pmemblk_close(p);
}

static void a_child_can_do_everything_whatever_the_threads_were_doing(void **state)
{
	const int children = on_pmem ? 8 : 6;
	struct worker w[] = {
	    {.work = write_blocks},   {.work = change_blocks},	  {.work = read_blocks},
	    {.work = open_and_close}, {.work = create_and_check}, {.work = fail_and_ask},
	    {.work = map_and_unmap},  {.work = start_and_join},
	};
	const int n = sizeof(w) / sizeof(w[0]);
	const char *pool_path = path;
	int yes = 1;
	int no = 0;
	PMEMblkpool *p;

	(void)state;
	if (SUPPORT_SANITIZED)
		/*
		 * a sanitizer's allocator does not survive a fork while another thread is in it
		 */
		skip();
	assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &yes), 0);
	other_path = support_path(on_pmem, "other");
	new_pool_path = support_path(on_pmem, "new");
	map_path = support_path(on_pmem, "map");
	path = other_path;
	pmemblk_close(create());
	path = pool_path;
	p = create();
	start_workers(w, n, p);
	for (int i = 0; i < children; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			use_everything(p);
			_exit(0);
		}
		assert_ends_well(pid);
	}
	stop_workers(w, n);
	pmemblk_close(p);
	assert_int_equal(pmemblk_ctl_set(NULL, "sigbus.catch", &no), 0);
	assert_int_equal(pmemblk_check(path, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(children_close_the_pool_while_the_owners_threads_write,
				   new_path),
	    cmocka_unit_test_setup(
		a_child_can_do_everything_whatever_the_threads_were_doing, new_path),
	};

	return run_on_both("fork_anytime", tests, sizeof(tests) / sizeof(tests[0]));
}
