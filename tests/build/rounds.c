/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: rounds LIBPMEM LIBPMEMBLK FILE [LIBRARY...] Loads the other libraries, which stay
 * loaded. Then it loads, uses and unloads the first two 200 times, while other threads live on;
 * in every round each of these has a failure and writes. In some rounds the process also forks,
 * and a handler uses the library meanwhile. At the end there must be as many pthread keys as
 * before, and not much more memory in use, nor many more mappings. Last of all it unloads them with
 * a handler of SIGBUS that the program has put back, and with an open pool; then the action must be
 * that of before.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <libpmem.h>
#include <libpmemblk.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { ROUNDS = 200, WARM = 20, THREADS = 3, KEYS = 2000 };

static void *pmem;
static void *blk;
static PMEMblkpool *pool;
static pthread_barrier_t begin, end;
static volatile int over;

#define CHECK(what)                                                                      \
	do {                                                                             \
		if (!(what)) {                                                           \
			const char *error = dlerror();                                   \
                                                                                         \
			printf("%s: %s\n", #what, error ? error : strerror(errno));      \
			exit(1);                                                         \
		}                                                                        \
	} while (0)

static void *symbol(void *library, const char *name)
{
	void *p = dlsym(library, name);

	CHECK(p);
	return p;
}

#define CALL(library, function) ((__typeof__(function) *)symbol(library, #function))

static void use(long long block)
{
	char buf[512] = "text";

	CHECK(!CALL(pmem, pmem_map_file)(NULL, 0, 0, 0, NULL, NULL));
	CHECK(*CALL(pmem, pmem_errormsg)());
	CHECK(CALL(blk, pmemblk_read)(pool, buf, -1) == -1);
	CHECK(strstr(CALL(blk, pmemblk_errormsg)(), "-1"));
	CHECK(CALL(blk, pmemblk_write)(pool, buf, block) == 0);
}

static void *live_on(void *arg)
{
	for (;;) {
		pthread_barrier_wait(&begin);
		if (over)
			return NULL;
		use((int *)arg - (int *)NULL);
		pthread_barrier_wait(&end);
	}
}

static const char *file; /* of the pool */

/* Registered before the library is loaded, so it runs after the library's own handler. */
static void check_before_fork(void)
{
	CHECK(CALL(blk, pmemblk_check)(file, 512) == 1);
}

static void make_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(0);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

static void run_round(const char *const *path, int first, int forks)
{
	int on = 1;

	CHECK(pmem = dlopen(path[0], RTLD_NOW | RTLD_LOCAL));
	CHECK(blk = dlopen(path[1], RTLD_NOW | RTLD_LOCAL));
	if (forks) /* the part of the library that handles SIGBUS */
		CHECK(CALL(blk, pmemblk_ctl_set)(NULL, "sigbus.catch", &on) == 0);
	pool = first ? CALL(blk, pmemblk_create)(path[2], 512, PMEMBLK_MIN_POOL, 0600)
		     : CALL(blk, pmemblk_open)(path[2], 512);
	CHECK(pool);
	pthread_barrier_wait(&begin);
	use(100);
	pthread_barrier_wait(&end);
	CALL(blk, pmemblk_close)(pool);
	if (forks)
		make_child();
	CHECK(dlclose(blk) == 0);
	CHECK(dlclose(pmem) == 0);
}

static int count_keys(void)
{
	static pthread_key_t key[KEYS];
	int n = 0;

	while (n < KEYS && pthread_key_create(&key[n], NULL) == 0)
		n++;
	for (int i = 0; i < n; i++)
		pthread_key_delete(key[i]);
	return n;
}

static int count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int n = 0;
	int c;

	CHECK(maps);
	while ((c = getc(maps)) != EOF)
		n += c == '\n';
	fclose(maps);
	return n;
}

/* Of the address space. A page that is left in each round may lie beside an older one. */
static long count_pages(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	long n = 0;

	CHECK(statm);
	CHECK(fscanf(statm, "%ld", &n) == 1);
	fclose(statm);
	return n;
}

static size_t memory_in_use(void)
{
#ifdef __GLIBC__
	return mallinfo2().uordblks;
#else
	return 0;
#endif
}

static void load_and_open(const char *const *path)
{
	int on = 1;

	CHECK(pmem = dlopen(path[0], RTLD_NOW | RTLD_LOCAL));
	CHECK(blk = dlopen(path[1], RTLD_NOW | RTLD_LOCAL));
	CHECK(CALL(blk, pmemblk_ctl_set)(NULL, "sigbus.catch", &on) == 0);
	CHECK(pool = CALL(blk, pmemblk_open)(path[2], 512));
}

static void unload_and_compare(const char *const *path, const struct sigaction *was)
{
	struct sigaction now;

	CHECK(sigaction(SIGBUS, NULL, &now) == 0);
	CHECK(now.sa_handler != was->sa_handler);
	CHECK(dlclose(blk) == 0);
	CHECK(dlclose(pmem) == 0);
	CHECK(sigaction(SIGBUS, NULL, &now) == 0);
	/* musl never unloads */
	CHECK(now.sa_handler == was->sa_handler ||
	      dlopen(path[1], RTLD_NOW | RTLD_NOLOAD));
}

/* A handler that was on top of the library's is removed when all pools are closed. */
static void restore_the_handler(const char *const *path)
{
	const struct sigaction own = {.sa_handler = SIG_IGN};
	struct sigaction was;
	struct sigaction ours;

	CHECK(sigaction(SIGBUS, NULL, &was) == 0);
	load_and_open(path);
	CHECK(sigaction(SIGBUS, &own, &ours) == 0);
	CALL(blk, pmemblk_close)(pool);
	CHECK(sigaction(SIGBUS, &ours, NULL) == 0);
	unload_and_compare(path, &was);
}

static void leave_a_pool_open(const char *const *path)
{
	struct sigaction was;

	CHECK(sigaction(SIGBUS, NULL, &was) == 0);
	load_and_open(path);
	unload_and_compare(path, &was);
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];
	size_t before = 0;
	size_t after;
	int keys = 0;
	int mappings = 0;
	long pages = 0;

	if (argc < 4)
		return 2;
	file = argv[3];
	CHECK(pthread_atfork(check_before_fork, NULL, NULL) == 0);
	for (int i = 4; i < argc; i++)
		CHECK(dlopen(argv[i], RTLD_NOW));
	CHECK(pthread_barrier_init(&begin, NULL, THREADS + 1) == 0);
	CHECK(pthread_barrier_init(&end, NULL, THREADS + 1) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, live_on, (int *)NULL + i) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		if (i == WARM) {
			keys = count_keys();
			before = memory_in_use();
			mappings = count_mappings();
			pages = count_pages();
		}
		run_round((const char *const *)argv + 1, i == 0, i % 4 == 0);
	}
	after = memory_in_use();
	CHECK(count_keys() == keys);
	CHECK(count_mappings() < mappings + ROUNDS / 10);
	CHECK(count_pages() < pages + ROUNDS / 2);
	over = 1;
	pthread_barrier_wait(&begin);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	restore_the_handler((const char *const *)argv + 1);
	leave_a_pool_open((const char *const *)argv + 1);
	printf("%d rounds beside %d libraries, %ld bytes more in use\n", ROUNDS, argc - 4,
	       (long)(after - before));
	return after > before + 65536;
}
