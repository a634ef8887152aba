/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * errno_table DIR LIBRARIES WRITES
 *
 * Calls each public function so that it succeeds, and prints "<function> <errno>", one line for
 * each errno that was seen after it; "-" means that errno did not change. LIBRARIES is ours or
 * original: only ours has the functions for logging. WRITES is the number of writes of each
 * contending thread.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpmem.h>
#include <libpmemblk.h>

enum { BEFORE = 1234, THREADS = 4, BSIZE = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
	const char *name;
	int err;
} seen[100];
static unsigned nseen;

static void note(const char *name, int err)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < nseen; i++)
		if (strcmp(seen[i].name, name) == 0 && seen[i].err == err)
			goto unlock;
	seen[nseen].name = name;
	seen[nseen++].err = err;
	if (err == BEFORE)
		printf("%s -\n", name);
	else
		printf("%s %d\n", name, err);
	fflush(stdout);
unlock:
	pthread_mutex_unlock(&lock);
}

/* call is an expression that is true on success. */
#define SUCCEED(name, call)                                                              \
	do {                                                                             \
		int err;                                                                 \
                                                                                         \
		errno = BEFORE;                                                          \
		if (!(call)) {                                                           \
			printf("%s failed: %s\n", name, strerror(errno));                \
			exit(1);                                                         \
		}                                                                        \
		err = errno;                                                             \
		note(name, err);                                                         \
	} while (0)

#define RUN(name, call) SUCCEED(name, ((void)(call), true))

static PMEMblkpool *pool;
static int writes; /* of each of the threads that contend */

/* All threads write few blocks, so that they wait for each other. */
static void *contend(void *arg)
{
	char buf[BSIZE] = "text";

	(void)arg;
	for (int i = 0; i < writes; i++) {
		SUCCEED("pmemblk_write", pmemblk_write(pool, buf, 0) == 0);
		SUCCEED("pmemblk_read", pmemblk_read(pool, buf, 0) == 0);
		if (i % 8)
			continue;
		SUCCEED("pmemblk_set_zero", pmemblk_set_zero(pool, 0) == 0);
		SUCCEED("pmemblk_read", pmemblk_read(pool, buf, 0) == 0);
		SUCCEED("pmemblk_set_error", pmemblk_set_error(pool, 1) == 0);
	}
	return NULL;
}

static void use_pool(const char *path)
{
	pthread_t thread[THREADS];
	char buf[BSIZE] = "text";
	int value;

	SUCCEED("pmemblk_create",
		pool = pmemblk_create(path, BSIZE, PMEMBLK_MIN_POOL, 0600));
	SUCCEED("pmemblk_read", pmemblk_read(pool, buf, 0) == 0);
	SUCCEED("pmemblk_set_zero", pmemblk_set_zero(pool, 0) == 0);
	SUCCEED("pmemblk_write", pmemblk_write(pool, buf, 0) == 0);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, contend, NULL))
			exit(1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	SUCCEED("pmemblk_bsize", pmemblk_bsize(pool) == BSIZE);
	SUCCEED("pmemblk_nblock", pmemblk_nblock(pool) > 0);
	SUCCEED("pmemblk_ctl_get",
		pmemblk_ctl_get(pool, "prefault.at_open", &value) == 0);
	value = 1;
	SUCCEED("pmemblk_ctl_set",
		pmemblk_ctl_set(pool, "prefault.at_open", &value) == 0);
	RUN("pmemblk_close", pmemblk_close(pool));
	SUCCEED("pmemblk_open", pool = pmemblk_open(path, 0));
	SUCCEED("pmemblk_write", pmemblk_write(pool, buf, 0) == 0);
	RUN("pmemblk_close", pmemblk_close(pool));
	SUCCEED("pmemblk_check", pmemblk_check(path, BSIZE) == 1);
	RUN("pmemblk_set_funcs", pmemblk_set_funcs(NULL, NULL, NULL, NULL));
	SUCCEED("pmemblk_check_version", !pmemblk_check_version(1, 1));
	RUN("pmemblk_errormsg", pmemblk_errormsg());
}

static void use_memory(const char *path)
{
	char text[64] = "text";
	size_t len;
	int is_pmem;
	char *p;

	SUCCEED("pmem_map_file",
		p = pmem_map_file(path, 1 << 20, PMEM_FILE_CREATE, 0600, &len, &is_pmem));
	RUN("pmem_is_pmem", pmem_is_pmem(p, len));
	RUN("pmem_memcpy_persist", pmem_memcpy_persist(text + 32, text, 32));
	RUN("pmem_memmove_persist", pmem_memmove_persist(text, text + 32, 32));
	RUN("pmem_memset_persist", pmem_memset_persist(text, 0, 32));
	RUN("pmem_memcpy_nodrain", pmem_memcpy_nodrain(text + 32, text, 32));
	RUN("pmem_memmove_nodrain", pmem_memmove_nodrain(text, text + 32, 32));
	RUN("pmem_memset_nodrain", pmem_memset_nodrain(text, 0, 32));
	RUN("pmem_memcpy", pmem_memcpy(text + 32, text, 32, PMEM_F_MEM_NOFLUSH));
	RUN("pmem_memmove", pmem_memmove(text, text + 32, 32, PMEM_F_MEM_NONTEMPORAL));
	RUN("pmem_memset", pmem_memset(text, 0, 32, PMEM_F_MEM_NODRAIN));
	RUN("pmem_flush", pmem_flush(text, sizeof(text)));
	RUN("pmem_drain", pmem_drain());
	RUN("pmem_persist", pmem_persist(text, sizeof(text)));
	RUN("pmem_deep_flush", pmem_deep_flush(p, len));
	SUCCEED("pmem_deep_drain", pmem_deep_drain(p, len) == 0);
	SUCCEED("pmem_deep_persist", pmem_deep_persist(p, len) == 0);
	SUCCEED("pmem_msync", pmem_msync(p, len) == 0);
	RUN("pmem_has_hw_drain", pmem_has_hw_drain());
	SUCCEED("pmem_has_auto_flush", pmem_has_auto_flush() >= 0);
	SUCCEED("pmem_check_version", !pmem_check_version(1, 1));
	RUN("pmem_errormsg", pmem_errormsg());
	SUCCEED("pmem_unmap", pmem_unmap(p, len) == 0);
	SUCCEED("pmem_map_file",
		p = pmem_map_file(path, 0, 0, 0, NULL, NULL)); /* and without is_pmemp */
	SUCCEED("pmem_unmap", pmem_unmap(p, len) == 0);
}

static void use_messages(void)
{
	enum pmem_log_level level;

	SUCCEED("pmem_log_get_threshold",
		pmem_log_get_threshold(PMEM_LOG_THRESHOLD, &level) == 0);
	SUCCEED("pmem_log_set_threshold",
		pmem_log_set_threshold(PMEM_LOG_THRESHOLD, PMEM_LOG_LEVEL_ERROR) == 0);
	SUCCEED("pmem_log_set_function",
		pmem_log_set_function(PMEM_LOG_USE_DEFAULT_FUNCTION) == 0);
}

int main(int argc, char **argv)
{
	char path[4096];

	if (argc != 4)
		return 2;
	writes = atoi(argv[3]);
	RUN("pmem_is_pmem", pmem_is_pmem(argv, 1)); /* reads PMEM_IS_PMEM_FORCE */
	snprintf(path, sizeof(path), "%s/pool", argv[1]);
	use_pool(path);
	unlink(path);
	snprintf(path, sizeof(path), "%s/file", argv[1]);
	use_memory(path);
	unlink(path);
	if (strcmp(argv[2], "ours") == 0)
		use_messages();
	return 0;
}
