/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interface between the entry points and the CPU. An engine consists of one flush
 * backend, one copy kernel and a few numbers. It is put together once, when the library
 * is loaded. Backend and kernel are chosen independently, so that a new backend or a new
 * kernel is one file with one const table.
 *
 * A flush backend writes cache lines back. A copy kernel stores, cached or
 * non-temporally, and does not flush. The driver (copy.h) combines them.
 */
#ifndef ENGINE_H
#define ENGINE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/* The unit of flushing and of non-temporal copies. The lines of a CPU may be larger. */
#define ENGINE_LINE ((size_t)64)

/*
 * Features of a CPU. A backend or kernel is usable if the CPU has all the features it
 * needs.
 */
enum {
	ENGINE_CLFLUSH = 1u << 0,
	ENGINE_CLFLUSHOPT = 1u << 1,
	ENGINE_CLWB = 1u << 2,
	ENGINE_SSE2 = 1u << 3,
	ENGINE_AVX = 1u << 4,
	ENGINE_AVX512F = 1u << 5,
	ENGINE_MOVDIR64B = 1u << 6,
	ENGINE_DCPOP = 1u << 7,	    /* aarch64: clean to the point of persistence */
	ENGINE_DCPODP = 1u << 8,    /* aarch64: clean to the point of deep persistence */
	ENGINE_ZICBOM = 1u << 9,    /* riscv64: cache block management */
	ENGINE_PORTABLE = 1u << 10, /* every CPU has it: the kernel in C */
	ENGINE_NEON = 1u << 11,
	ENGINE_ZEN = 1u << 12, /* AMD */
};

/* The features that copy kernels are made of. */
#define ENGINE_SIMD                                                                      \
	(ENGINE_SSE2 | ENGINE_AVX | ENGINE_AVX512F | ENGINE_MOVDIR64B | ENGINE_NEON)

/*
 * Families of CPUs, not instructions. A kernel that needs one of these would run on every CPU that has
 * the kernel's other features, and is faster on this family.
 */
#define ENGINE_TUNING ENGINE_ZEN

struct engine_cpu {
	unsigned features;
	bool evicts_wc; /* write-combining buffers are evicted early; see nt_burst */
};

struct engine_flush {
	const char *name;
	unsigned needs;
	bool durable; /* flush and fence reach persistent memory */
	/* Starts the write-back of every line that [addr, addr + len) touches. Does nothing if
	 * len is 0 or the range wraps around. */
	void (*flush)(const void *addr, size_t len);
	/* The same down to the smallest failure domain that the CPU can name. */
	void (*deep_flush)(const void *addr, size_t len);
	/* Waits for this thread's flushes, and orders its non-temporal stores. */
	void (*fence)(void);
};

/*
 * A move by less than ENGINE_NT_NEAR overwrites lines that it has just read. They are in the cache, and
 * non-temporal stores would throw them out of it, as old ways to flush do. Measured, moves by 96 bytes,
 * through the cache and non-temporal:
 *	Zen 4: 256 bytes to 16 KiB take 0.25 to 0.5 of the time, 256 KiB 0.75; with a fence 0.6 to 0.9. If
 *	the lines are outside of the cache, forward 1.0 to 1.1, and backward 1.0 to 1.4 at 4 KiB and 2.5
 *	at 1 MiB.
 *	Sapphire Rapids: 128 to 512 bytes take 0.5 to 0.8 of the time, longer ones 0.8 to 1.3; with a fence
 *	all take 1.0 to 1.15.
 */
#define ENGINE_NT_NEAR ((size_t)512)

struct engine_near {
	size_t forward, backward; /* the longest moves that are cached, in bytes */
	bool fenced;		  /* also with a fence after the move */
};

/*
 * Pointers are to bytes of any alignment unless said otherwise. Where dest and len are
 * multiples of 8, no store is narrower than 8 bytes.
 */
struct engine_kernel {
	const char *name;
	unsigned needs;
	bool wc_bursts; /* suffers from evicted write-combining buffers */
	/* Which moves that could be non-temporal are cached: see ENGINE_NT_NEAR. */
	struct engine_near near;
	/* memmove and memset with cached stores; len >= ENGINE_LINE. They return dest. */
	void *(*move)(char *dest, const char *src, size_t len);
	void *(*set)(char *dest, int c, size_t len);
	/* The same, for stores that are mostly flushed afterwards. */
	void *(*move_flushed)(char *dest, const char *src, size_t len);
	void *(*set_flushed)(char *dest, int c, size_t len);
	/*
	 * With non-temporal stores; dest is at a line boundary, and len is whole lines, at least
	 * one. The first function is for dest below src or without overlap, the second for
	 * dest above src. All three are NULL if the CPU has no such stores.
	 */
	void (*move_nt_forward)(char *dest, const char *src, size_t len);
	void (*move_nt_backward)(char *dest, const char *src, size_t len);
	void (*set_nt)(char *dest, int c, size_t len);
	/*
	 * Non-temporal stores to a part of a line, which may be empty; dest and len are multiples of
	 * 8. The source may overlap. NULL if stores through the cache and flushes are faster.
	 */
	void (*move_nt_part)(char *dest, const char *src, size_t len);
	void (*set_nt_part)(char *dest, int c, size_t len);
};

struct engine {
	const struct engine_flush *flush_backend;
	const struct engine_kernel *kernel;
	/* Copies of the backend's function pointers, for the entry points. */
	void (*flush)(const void *addr, size_t len); /* does nothing when not flushing */
	void (*fence)(void);
	bool clwb;	     /* the backend flushes with clwb; see copy_flush() */
	bool nt;	     /* flushing is on, and the kernel has non-temporal stores */
	bool flushing;	     /* the caches are not written back on power loss */
	size_t nt_threshold; /* copies of this length and more are non-temporal */
	size_t nt_burst;     /* a non-temporal copy fences after so many bytes */
	bool keeps_lines;    /* a flush leaves lines in the cache, or none is needed */
};

/*
 * Fetches the lines of a short range, which begins at a line, before they are written back. Their
 * stores are still on the way to the cache. A write-back lets no later store begin to fetch its
 * line, so short stores with a write-back after each wait for one line after the other. Measured on
 * Sapphire Rapids: a store of 64 bytes and clwb takes 35 ns, with the fetch 8 ns; on random lines
 * that are not in the cache 106 and 15 ns, with a fence after each 215 and 104. Copies of 128 bytes
 * are 1.4 to 2.1 times as fast, and longer ones not faster: the fetches of their own stores overlap.
 * A line that nobody has stored to would be fetched in vain, so long ranges are not.
 */
#define ENGINE_FETCH_MAX (2 * ENGINE_LINE)

static inline void engine_fetch_short(uintptr_t line, uintptr_t end)
{
	if (end - line > ENGINE_FETCH_MAX + ENGINE_LINE - 1)
		return;
	for (; line < end; line += ENGINE_LINE)
		prefetch_store((const void *)line);
}

/* The engine in use; written only while the library is loaded. */
extern struct engine engine;

/* --- what an architecture's folder provides ------------------------------------------ */

void engine_detect(struct engine_cpu *cpu);

/* Best first; the last one needs nothing. */
extern const struct engine_flush *const engine_flushes[];
extern const struct engine_kernel *const engine_kernels[];

#endif
