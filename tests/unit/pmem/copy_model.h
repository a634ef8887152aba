/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A model of the media under the driver of the copy functions. It shows what would survive a power
 * loss: a flush copies its lines to a snapshot, a non-temporal store goes to the snapshot directly, and a
 * fence makes the snapshot durable.
 */
#ifndef COPY_MODEL_H
#define COPY_MODEL_H 1

#include <stdlib.h>
#include <string.h>

#include "copy.h"
#include "engine_select.h"
#include "generic/kernels.h"
#include "support.h"

#define AREA ((size_t)32768)

static char *memory;	    /* what programs see */
static char snapshot[AREA]; /* written back, not durable yet */
static char media[AREA];    /* durable */
static unsigned nfences;
static unsigned nflushes;
static size_t nt_bytes;
static const struct engine_kernel *real;

static void model_flush(const void *addr, size_t len)
{
	size_t from = (size_t)((const char *)addr - memory) & ~(ENGINE_LINE - 1);
	size_t to = (size_t)((const char *)addr - memory) + len;

	nflushes++;
	for (; len && from < to; from += ENGINE_LINE)
		memcpy(snapshot + from, memory + from, ENGINE_LINE);
}

static void model_fence(void)
{
	nfences++;
	memcpy(media, snapshot, sizeof(media));
}

static const struct engine_flush model_backend = {
    .name = "model",
    .durable = true,
    .flush = model_flush,
    .deep_flush = model_flush,
    .fence = model_fence,
};

static void model_nt(const char *dest, size_t len)
{
	assert_int_equal((uintptr_t)dest % ENGINE_LINE, 0);
	assert_int_equal(len % ENGINE_LINE, 0);
	assert_true(len > 0);
	memcpy(snapshot + (dest - memory), dest, len);
	nt_bytes += len;
}

static void model_move_nt_forward(char *dest, const char *src, size_t len)
{
	real->move_nt_forward(dest, src, len);
	model_nt(dest, len);
}

static void model_move_nt_backward(char *dest, const char *src, size_t len)
{
	real->move_nt_backward(dest, src, len);
	model_nt(dest, len);
}

static void model_set_nt(char *dest, int c, size_t len)
{
	real->set_nt(dest, c, len);
	model_nt(dest, len);
}

static void model_part(const char *dest, size_t len)
{
	assert_int_equal(((uintptr_t)dest | len) % 8, 0);
	assert_true((uintptr_t)dest % ENGINE_LINE + len <= ENGINE_LINE);
	memcpy(snapshot + (dest - memory), dest, len);
	nt_bytes += len;
}

static void model_move_nt_part(char *dest, const char *src, size_t len)
{
	real->move_nt_part(dest, src, len);
	model_part(dest, len);
}

static void model_set_nt_part(char *dest, int c, size_t len)
{
	real->set_nt_part(dest, c, len);
	model_part(dest, len);
}

static struct engine_kernel model_kernel;

static struct engine model_engine(const struct engine_kernel *kernel, bool flushing)
{
	real = kernel;
	model_kernel = *kernel;
	if (kernel->set_nt) {
		model_kernel.move_nt_forward = model_move_nt_forward;
		model_kernel.move_nt_backward = model_move_nt_backward;
		model_kernel.set_nt = model_set_nt;
	}
	if (kernel->move_nt_part) {
		model_kernel.move_nt_part = model_move_nt_part;
		model_kernel.set_nt_part = model_set_nt_part;
	}
	return (struct engine){
	    .flush_backend = &model_backend,
	    .kernel = &model_kernel,
	    .flush = flushing ? model_flush : flush_none.flush,
	    .fence = model_fence,
	    .nt = flushing && kernel->set_nt,
	    .flushing = flushing,
	    .nt_threshold = 256,
	    .nt_burst = SIZE_MAX,
	    .keeps_lines = !flushing,
	};
}

/* Begins an operation: the whole memory is durable. */
static void model_begin(void)
{
	memcpy(snapshot, memory, AREA);
	memcpy(media, memory, AREA);
	nfences = nflushes = 0;
	nt_bytes = 0;
}

static void fill(char *p, size_t len, uint64_t seed)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t v = support_random(&seed);

		memcpy(p + i, &v, 8);
	}
}

static int setup(void **state)
{
	(void)state;
	memory = aligned_alloc(4096, AREA);
	return memory ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

/* The bytes of whole lines in a range. */
static size_t whole_lines(const char *dest, size_t len)
{
	size_t head = -(uintptr_t)dest % ENGINE_LINE;
	size_t rest = len > head ? len - head : 0;

	return rest - rest % ENGINE_LINE;
}

#endif
