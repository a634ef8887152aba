/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program that test_valgrind.sh runs under valgrind:
 *
 *	watched threads FILE	three threads write, read and zero the blocks of a pool
 *	watched race FILE	two threads of the program race on a variable
 *	watched sync FILE	pmem_msync in a page of which other bytes are not addressable
 *	watched bad FILE	pmem_msync of bytes that are not addressable themselves
 *	watched objects FILE	a pool of the original's libpmemobj
 */
#include <dlfcn.h>
#include <libpmem.h>
#include <libpmemblk.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif
#ifndef VALGRIND_MAKE_MEM_NOACCESS
#define VALGRIND_MAKE_MEM_NOACCESS(addr, len) ((void)(addr), (void)(len))
#endif

#define THREADS 3
#define ROUNDS 8
#define BLOCKS 8

static PMEMblkpool *pool;
static int failures[THREADS];

static void *use_blocks(void *arg)
{
	int *failed = arg;
	char block[512];

	for (int i = 0; i < ROUNDS; i++) {
		memset(block, i, sizeof(block));
		*failed += pmemblk_write(pool, block, i % BLOCKS) != 0;
		*failed += pmemblk_read(pool, block, (i + 3) % BLOCKS) != 0;
		if (i % 5 == 0)
			*failed += pmemblk_set_zero(pool, (i + 1) % BLOCKS) != 0;
	}
	return NULL;
}

static int threads(const char *path)
{
	pthread_t thread[THREADS];
	int failed = 0;

	pool = pmemblk_create(path, 512, PMEMBLK_MIN_POOL, 0644);
	if (!pool)
		return 1;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, use_blocks, &failures[i]) != 0)
			return 1;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		failed += failures[i];
	}
	pmemblk_close(pool);
	return failed != 0;
}

static volatile int raced;

static void *race(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		raced = raced + 1;
	return NULL;
}

/* A race in the program itself, not in the library. */
static int races(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, race, NULL) != 0)
		return 1;
	race(NULL);
	return pthread_join(thread, NULL) != 0;
}

static int sync_page(const char *path, size_t at)
{
	size_t len;
	char *p = pmem_map_file(path, 16384, PMEM_FILE_CREATE, 0644, &len, NULL);

	if (!p)
		return 1;
	VALGRIND_MAKE_MEM_NOACCESS(p + 4096, 1000);
	VALGRIND_MAKE_MEM_NOACCESS(p + 4096 + 1100, 900);
	if (pmem_msync(p + 4096 + at, 100) != 0 ||
	    pmem_deep_drain(p + 4096 + at, 100) != 0)
		return 1;
	return pmem_unmap(p, len) != 0;
}

struct oid {
	uint64_t pool;
	uint64_t off;
};

static int objects(const char *path)
{
	void *lib = dlopen("libpmemobj.so.1", RTLD_NOW);
	void *(*create)(const char *, const char *, size_t, mode_t);
	void (*close_pool)(void *);
	int (*zalloc)(void *, struct oid *, size_t, uint64_t);
	void (*free_object)(struct oid *);
	struct oid object[50] = {{0, 0}};
	void *objects_pool;

	if (!lib)
		return 77;
	*(void **)&create = dlsym(lib, "pmemobj_create");
	*(void **)&close_pool = dlsym(lib, "pmemobj_close");
	*(void **)&zalloc = dlsym(lib, "pmemobj_zalloc");
	*(void **)&free_object = dlsym(lib, "pmemobj_free");
	if (!create || !close_pool || !zalloc || !free_object)
		return 77;
	objects_pool = create(path, "test", (size_t)16 << 20, 0644);
	if (!objects_pool)
		return 1;
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < 50; i++)
			if (zalloc(objects_pool, &object[i], 10 + 97 * i, 1) != 0)
				return 1;
		for (size_t i = 0; i < 50; i++)
			free_object(&object[(i * 7) % 50]);
	}
	close_pool(objects_pool);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	if (strcmp(argv[1], "threads") == 0)
		return threads(argv[2]);
	if (strcmp(argv[1], "race") == 0)
		return races();
	if (strcmp(argv[1], "sync") == 0)
		return sync_page(argv[2], 1000);
	if (strcmp(argv[1], "bad") == 0)
		return sync_page(argv[2], 500);
	if (strcmp(argv[1], "objects") == 0)
		return objects(argv[2]);
	return 2;
}
