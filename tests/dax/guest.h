/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs share that run inside the virtual machine. */
#ifndef GUEST_H
#define GUEST_H 1

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 1, 2))) static inline _Noreturn void die(const char *format,
								       ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* Ends the program unless this function comes from the library under test, or Debian's. */
static inline void assert_library(const void *fn, const char *name)
{
	const char *want = strcmp(name, "ours") == 0 ? "/ours/lib" : "/lib/";
	Dl_info info;

	if (!dladdr(fn, &info) || strncmp(info.dli_fname, want, strlen(want)) != 0)
		die("runs on %s", info.dli_fname);
}

static inline void assert_ours(const void *fn)
{
	assert_library(fn, "ours");
}

static inline uint64_t number(const char *text)
{
	char *end;
	uint64_t v = strtoull(text, &end, 0);

	if (end == text || *end)
		die("%s is not a number", text);
	return v;
}

/* splitmix64's mixing of bits. */
static inline uint64_t mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

#endif
