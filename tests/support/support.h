/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions that all test programs share. It includes cmocka, so that a test need not do so. */
#ifndef SUPPORT_H
#define SUPPORT_H 1

/* clang-format off: cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdbool.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * The path of a folder of this process, on disk or, if shm is true, on /dev/shm. It is made,
 * empty, at the first call, and removed with its contents when the process exits.
 */
const char *support_tmpdir(bool shm);

/* "<folder>/<name>"; the text is freed at exit. */
const char *support_path(bool shm, const char *name);

/* Path of a file of the source tree, e.g. "tests/support/vectors/checksum.csv". */
const char *support_source(const char *name);

/* Reads a whole file into memory, which the caller frees. Fails the test if it cannot be read. */
unsigned char *support_read_file(const char *path, size_t *len);
void support_write_file(const char *path, const void *data, size_t len);

/*
 * Makes the image that a sparse description gives: lines "<hex offset> <32 hex digits>", "# size
 * N" or "# length N", by default 4096 bytes; see tests/support/vectors. The caller frees it. Pool
 * headers were made on x86-64; they are changed into headers of this machine.
 */
unsigned char *support_load_sparse(const char *path, size_t *len);

/*
 * Closes the standard input, so the next file that is opened gets the descriptor 0. The result goes to
 * support_restore_input().
 */
int support_close_input(void);
void support_restore_input(int input);

/* Sets the process's limit for the size of files (RLIMIT_FSIZE). Returns the one before. */
uint64_t support_limit_file_size(uint64_t len);

/* The number of open descriptors below 256. */
unsigned support_count_descriptors(void);

/* The number of this process's mappings whose line in /proc/self/maps holds the text. */
unsigned support_count_mappings(const char *text);

/* Sanitizers have a malloc of their own, and use much of the address space. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SUPPORT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SUPPORT_SANITIZED 1
#endif
#endif
#ifndef SUPPORT_SANITIZED
#define SUPPORT_SANITIZED 0
#endif

/*
 * Whether an emulator of another CPU runs this program. It has little address space, does not start
 * programs again, and cannot fork while there are threads.
 */
static inline bool support_is_emulated(void)
{
	const char *runner = getenv("RUNNER");

	return runner && *runner;
}

/*
 * For a function of the test that replaces one of libc, in the libraries as well. ThreadSanitizer
 * calls some before it is ready for instrumented code.
 */
#define SUPPORT_INTERPOSE __attribute__((visibility("default"), no_sanitize("thread")))

/*
 * Fails the test unless the function fn, whose name is name, comes from a file below the build
 * folder, and so does every libpmem and libpmemblk that the process has loaded. Otherwise a test
 * could pass with other libraries that are installed.
 */
void support_assert_ours(const void *fn, const char *name);

/* Splits a line of comma- (or other) separated values in place; quotes are honoured. */
size_t support_split(char *line, char sep, char **field, size_t max);

/* Deterministic random numbers (splitmix64); print the seed where a test fails. */
uint64_t support_random(uint64_t *state);

#endif
