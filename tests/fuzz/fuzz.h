/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzing. Each tests/fuzz/test_<name>.c defines
 *
 *	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
 *	FUZZ_MAIN(name)
 *
 * `make fuzz` links it with libFuzzer, which calls the function with new inputs again and again.
 * `make check` builds a program of its own, which calls the function with every file of
 * tests/fuzz/corpus/<name>: seeds, and inputs that once failed. The function aborts if something
 * is wrong.
 */
#ifndef FUZZ_H
#define FUZZ_H 1

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_ASSERT(cond)                                                                \
	do {                                                                             \
		if (!(cond)) {                                                           \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);       \
			abort();                                                         \
		}                                                                        \
	} while (0)

#ifdef FUZZING
#define FUZZ_MAIN(name)
#else
static int fuzz_replay(const char *name)
{
	char folder[128];
	const char *path;
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s", name);
	path = support_source(folder);
	d = opendir(path);
	if (!d) {
		perror(path);
		return 1;
	}
	while ((e = readdir(d))) {
		char file[4096];
		unsigned char *data;
		size_t len;

		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		data = support_read_file(file, &len);
		fprintf(stderr, "%s\n", e->d_name);
		alarm(60); /* ends the test if it hangs */
		LLVMFuzzerTestOneInput(data, len);
		free(data);
		n++;
	}
	closedir(d);
	printf("ok %u inputs of %s\n", n, name);
	return n == 0;
}

#define FUZZ_MAIN(name)                                                                  \
	int main(void)                                                                   \
	{                                                                                \
		return fuzz_replay(#name);                                               \
	}
#endif

#endif
