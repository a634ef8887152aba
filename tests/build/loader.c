/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: loader LIBPMEM LIBPMEMBLK FILE Loads, uses and unloads the libraries many times, from
 * the main thread and from others that end while the library is loaded, with error messages left
 * behind. The library's data of a thread must not be accessed after the library is unloaded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpmem.h>
#include <libpmemblk.h>

static char **args;

static void *symbol(void *library, const char *name)
{
	void *p = dlsym(library, name);

	if (!p) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return p;
}

#define CALL(library, function) ((__typeof__(function) *)symbol(library, #function))

static void *load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return library;
}

static void unload(void *library)
{
	if (dlclose(library)) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
}

static void *fail_once(void *library)
{
	if (CALL(library, pmem_map_file)(NULL, 0, 0, 0, NULL, NULL) ||
	    !*CALL(library, pmem_errormsg)())
		exit(1);
	return NULL;
}

static void *use(void *unused)
{
	void *pmem = load(args[1]), *blk = load(args[2]);
	pthread_t thread;
	size_t len;
	void *p;

	(void)unused;
	if (pthread_create(&thread, NULL, fail_once, pmem) || pthread_join(thread, NULL))
		exit(1);
	fail_once(pmem);
	p = CALL(pmem, pmem_map_file)(args[3], 4096, PMEM_FILE_CREATE, 0600, &len, NULL);
	if (!p || CALL(pmem, pmem_unmap)(p, len)) {
		fprintf(stderr, "%s\n", CALL(pmem, pmem_errormsg)());
		exit(1);
	}
	if (CALL(blk, pmemblk_open)(args[3], 0) || !*CALL(blk, pmemblk_errormsg)())
		exit(1);
	unload(blk);
	unload(pmem);
	return NULL;
}

/* Threads of an unloaded library end; their per-thread data must not call into it. */
static pthread_barrier_t barrier;

static void *outlive(void *unused)
{
	(void)unused;
	use(NULL);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static int is_named(struct dl_phdr_info *object, size_t size, void *name)
{
	(void)size;
	return strstr(object->dlpi_name, name) != NULL;
}

/* In containers without /proc the loader has to be believed. */
static int is_mapped(char *name)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[8192];
	int found = 0;

	if (!maps)
		return dl_iterate_phdr(is_named, name);
	while (fgets(line, sizeof(line), maps))
		found |= strstr(line, name) != NULL;
	fclose(maps);
	return found;
}

int main(int argc, char **argv)
{
	pthread_t thread[4];

	if (argc != 4)
		return 2;
	args = argv;
	for (int i = 0; i < 50; i++)
		use(NULL);
	if (pthread_barrier_init(&barrier, NULL, 4))
		return 1;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 4; i++)
			if (pthread_create(&thread[i], NULL, outlive, NULL))
				return 1;
		for (int i = 0; i < 4; i++)
			pthread_join(thread[i], NULL);
	}
	printf("loaded, used and unloaded%s\n",
	       is_mapped("libpmem") ? ", still mapped" : "");
	return 0;
}
