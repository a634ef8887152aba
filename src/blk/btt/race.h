/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The only deliberate data race: a reader copies a block that a writer may be overwriting, and
 * discards the copy if the version has changed (R11 in btt/btt.c). ThreadSanitizer is told to
 * ignore exactly this copy.
 */
#ifndef RACE_H
#define RACE_H 1

#include <stddef.h>

#if defined(__SANITIZE_THREAD__)
#define RACE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RACE_TSAN 1
#endif
#endif

#ifdef RACE_TSAN
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
#endif

static inline void race_copy(void *(*copy)(void *dest, const void *src, size_t len),
			     void *dest, const void *src, size_t len)
{
#ifdef RACE_TSAN
	AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
#endif
	copy(dest, src, len);
#ifdef RACE_TSAN
	AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
#endif
}

#endif
