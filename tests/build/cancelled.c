/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: cancelled FOLDER A thread with a pending cancellation uses both libraries and must reach
 * its end.
 */
#include <libpmem.h>
#include <libpmemblk.h>
#include <pthread.h>
#include <stdio.h>

static const char *folder;
static const char *at = "the beginning";

static void *use(void *arg)
{
	char path[4096];
	char buf[512] = "text";
	PMEMblkpool *pool;
	size_t len;
	void *p;

	pthread_cancel(pthread_self());
	snprintf(path, sizeof(path), "%s/cancelled-pool", folder);
	at = "pmemblk_create";
	pool = pmemblk_create(path, sizeof(buf), PMEMBLK_MIN_POOL, 0600);
	at = "pmemblk_write";
	if (!pool || pmemblk_write(pool, buf, 1) || pmemblk_write(pool, buf, 1))
		return NULL;
	at = "pmemblk_close";
	pmemblk_close(pool);
	at = "pmem_map_file";
	p = pmem_map_file(path, 0, 0, 0, &len, NULL);
	at = "pmem_msync";
	if (!p || pmem_msync(p, len))
		return NULL;
	at = "pmem_unmap";
	if (pmem_unmap(p, len) == 0)
		at = NULL;
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 2)
		return 2;
	folder = argv[1];
	if (pthread_create(&thread, NULL, use, NULL) || pthread_join(thread, NULL))
		return 1;
	if (!at)
		return 0;
	printf("the thread did not come back from %s\n", at);
	return 1;
}
