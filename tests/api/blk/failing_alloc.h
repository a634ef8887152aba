/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Allocators that fail at a chosen call: one for pmemblk_set_funcs(), and one that replaces the C
 * library's. Also a way to see what a failed call has left behind: memory, descriptors, mappings.
 */
#ifndef FAILING_ALLOC_H
#define FAILING_ALLOC_H 1

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define OWN_MALLOC (!SUPPORT_SANITIZED)

static long live;	/* allocations minus frees, through pmemblk_set_funcs() */
static long libc_live;	/* the same through the C library */
static long calls;	/* allocations requested since arm() */
static long failing_at; /* the call that fails, from 1; 0: none */

static inline bool must_fail(void)
{
	return ++calls == failing_at;
}

/* --- through pmemblk_set_funcs() ---------------------------------------------------------- */

/* Each block has a mark, so that the free function notices any other pointer. */
struct block {
	uint64_t mark;
	uint64_t pad;
};

#define MARK 0x5ca1ab1e0ddba11u

static inline void *own_malloc(size_t size)
{
	struct block *b = must_fail() ? NULL : malloc(sizeof(*b) + size);

	if (!b)
		return NULL;
	b->mark = MARK;
	live++;
	return b + 1;
}

static inline void own_free(void *ptr)
{
	struct block *b = ptr;

	if (!ptr)
		return;
	b--;
	assert_true(b->mark == MARK);
	b->mark = 0;
	live--;
	free(b);
}

static inline void *own_realloc(void *ptr, size_t size)
{
	struct block *b = ptr;

	if (!ptr)
		return own_malloc(size);
	b--;
	assert_true(b->mark == MARK);
	b = must_fail() ? NULL : realloc(b, sizeof(*b) + size);
	return b ? b + 1 : NULL;
}

static inline char *own_strdup(const char *s)
{
	char *copy = own_malloc(strlen(s) + 1);

	return copy ? strcpy(copy, s) : NULL;
}

/* --- through the C library ----------------------------------------------------------------- */

#if OWN_MALLOC
static bool armed;

void *__libc_malloc(size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_calloc(size_t n, size_t size);
void __libc_free(void *ptr);

static inline bool refuse(void)
{
	if (!armed || !must_fail())
		return false;
	errno = ENOMEM;
	return true;
}

SUPPORT_INTERPOSE void *malloc(size_t size)
{
	void *p = refuse() ? NULL : __libc_malloc(size);

	libc_live += p != NULL;
	return p;
}

SUPPORT_INTERPOSE void *realloc(void *ptr, size_t size)
{
	void *p = refuse() ? NULL : __libc_realloc(ptr, size);

	libc_live += p && !ptr;
	return p;
}

SUPPORT_INTERPOSE void *calloc(size_t n, size_t size)
{
	void *p = refuse() ? NULL : __libc_calloc(n, size);

	libc_live += p != NULL;
	return p;
}

SUPPORT_INTERPOSE void free(void *ptr)
{
	libc_live -= ptr != NULL;
	__libc_free(ptr);
}
#endif

static inline void arm(bool libc, long at)
{
#if OWN_MALLOC
	armed = libc;
#else
	(void)libc;
#endif
	calls = 0;
	failing_at = at;
}

static inline void disarm(void)
{
	failing_at = 0;
#if OWN_MALLOC
	armed = false;
#endif
}

/* --- what must not be left behind ---------------------------------------------------------- */

struct held {
	long live;
	long libc_live;
	long descriptors;
	/* mappings of the test's files, and (without a sanitizer) reserved addresses */
	long mappings;
	/* Mappings that are shared with children; after some opens, a fixed number of them stays. */
	long shared;
};

static struct held held_now(void)
{
	struct held h = {.live = live, .libc_live = libc_live};
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "re");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		const char *rights = strchr(line, ' ') + 1;

		h.mappings += strstr(line, support_tmpdir(true)) ||
			      (!SUPPORT_SANITIZED && !strncmp(rights, "---p", 4));
		h.shared += strstr(line, "/dev/zero") != NULL;
	}
	fclose(maps);
	for (int fd = 0; fd < 1024; fd++)
		h.descriptors += fcntl(fd, F_GETFD) != -1;
	return h;
}

static inline bool is_same(const struct held *now, const struct held *before)
{
	return now->live == before->live && now->libc_live == before->libc_live &&
	       now->descriptors == before->descriptors &&
	       now->mappings == before->mappings && now->shared <= before->shared;
}

static inline void assert_same(const struct held *now, const struct held *before)
{
	assert_int_equal(now->live, before->live);
	assert_int_equal(now->libc_live, before->libc_live);
	assert_int_equal(now->descriptors, before->descriptors);
	assert_int_equal(now->mappings, before->mappings);
	assert_true(now->shared <= before->shared);
}

#endif
