/* SPDX-License-Identifier: BSD-3-Clause */
/* Failures of the libraries, and functions that the failures use. */
#ifndef FAILURES_H
#define FAILURES_H 1

#include <sys/resource.h>
#include <sys/types.h>

struct failure {
	const char *name;
	void (*run)(void); /* in a process and an empty folder of its own */
};

#define FAILURE(f)                                                                       \
	{                                                                                \
#f, f                                                                    \
	}

/* Each list ends with a name that is NULL. */
extern const struct failure blk_failures[];
extern const struct failure pmem_failures[];

#define MIB ((size_t)1 << 20)

extern char failures_folder[4096]; /* of the case */

/* A path in the folder; the last eight stay valid. */
const char *failures_in_folder(const char *name);
void failures_make_file(const char *name, size_t size);
void failures_put(const char *name, off_t off, const void *data, size_t len);

/* Set the soft limits only, because the failure is printed after failures_unlimit(). */
void failures_limit_files(rlim_t size);
void failures_limit_memory(rlim_t size);
void failures_unlimit(void);

#endif
