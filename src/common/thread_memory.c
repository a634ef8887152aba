/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocks are handed on when their thread ends. They are kept on a list that only grows, so that
 * unloading the library (from whatever thread) frees them all, and so that nothing here needs a
 * lock that a fork could leave taken. In a forked child the blocks of the other threads stay
 * taken.
 */
#include "thread_memory.h"

#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "unload.h"

#define SPARES 16

struct thread_block {
	struct thread_block *next;
	char *bytes;
	size_t size;
	atomic_bool used; /* by a live thread; release on thread exit, acquire on claim */
};

static _Alignas(16) char spare_bytes[SPARES][THREAD_MEMORY_SPARE];
static struct thread_block spares[SPARES];

static void release(void *block)
{
	struct thread_block *b = block;

	memset(b->bytes, 0, b->size);
	atomic_store_explicit(&b->used, false, memory_order_release);
}

int thread_memory_load(struct thread_memory *m)
{
	int err = pthread_key_create(&m->key, release);

	atomic_store_explicit(&m->has_key, err == 0, memory_order_relaxed);
	return -err;
}

void thread_memory_unload(struct thread_memory *m)
{
	struct thread_block *b;

	/* First of all: threads that end later must not call release(), which will be gone. */
	if (atomic_exchange_explicit(&m->has_key, false, memory_order_relaxed))
		pthread_key_delete(m->key);
	if (unload_is_exit())
		return;
	b = atomic_exchange(&m->blocks, NULL);
	while (b) {
		struct thread_block *next = b->next;

		free(b);
		b = next;
	}
}

static bool claim(struct thread_block *b)
{
	return !atomic_exchange_explicit(&b->used, true, memory_order_acquire);
}

static struct thread_block *claim_unused(struct thread_memory *m)
{
	struct thread_block *b = atomic_load_explicit(&m->blocks, memory_order_acquire);

	for (; b; b = b->next)
		if (claim(b))
			return b;
	return NULL;
}

static struct thread_block *add_block(struct thread_memory *m)
{
	struct thread_block *b = calloc(1, sizeof(*b) + m->size);

	if (!b)
		return NULL;
	unload_watch_exit();
	atomic_init(&b->used, true);
	b->bytes = (char *)(b + 1);
	b->size = m->size;
	b->next = atomic_load_explicit(&m->blocks, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
	    &m->blocks, &b->next, b, memory_order_release, memory_order_relaxed))
		;
	return b;
}

static struct thread_block *claim_spare(void)
{
	for (size_t i = 0; i < SPARES; i++)
		if (claim(&spares[i])) {
			spares[i].bytes = spare_bytes[i];
			spares[i].size = THREAD_MEMORY_SPARE;
			return &spares[i];
		}
	return NULL;
}

static struct thread_block *find(struct thread_memory *m)
{
	if (!atomic_load_explicit(&m->has_key, memory_order_relaxed))
		return NULL;
	return pthread_getspecific(m->key);
}

static struct thread_block *make(struct thread_memory *m)
{
	struct thread_block *b;

	if (!atomic_load_explicit(&m->has_key, memory_order_relaxed))
		return NULL; /* it would never be released */
	b = claim_unused(m);
	if (!b)
		b = add_block(m);
	if (!b)
		b = claim_spare();
	if (b && pthread_setspecific(m->key, b) != 0) {
		release(b);
		return NULL;
	}
	return b;
}

void *thread_memory_find(struct thread_memory *m)
{
	struct thread_block *b = find(m);

	return b ? b->bytes : NULL;
}

void *thread_memory_get(struct thread_memory *m, size_t *size)
{
	struct thread_block *b = find(m);

	if (unlikely(!b))
		b = make(m);
	if (!b)
		return NULL;
	*size = b->size;
	return b->bytes;
}
