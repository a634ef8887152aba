/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a thread ends, another thread can get its block. All blocks are on a list that
 * only grows. So any thread that unloads the library can free all of them, and nothing
 * here needs a lock, which a fork could leave locked. In a forked child the blocks of the
 * other threads stay in use.
 *
 * When the process ends, the key is deleted, because the library may still be unloaded,
 * but other threads go on. From then on a thread finds its block by its pthread_self().
 */
#include "thread_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "unload.h"

#define SPARES 16

struct thread_block {
	struct thread_block *next;
	char *bytes;
	size_t size;
	/* to which the block belongs; stored before owner */
	struct thread_memory *memory;
	/*
	 * by a live thread; release when the thread ends, acquire when another takes it
	 */
	atomic_bool used;
	/* The thread's pthread_self(); 0: none, or not known. Release and acquire. */
	_Atomic(uintptr_t) owner;
};

static _Alignas(16) char spare_bytes[SPARES][THREAD_MEMORY_SPARE];
static struct thread_block spares[SPARES];

static void release(void *block)
{
	struct thread_block *b = block;

	atomic_store_explicit(&b->owner, 0, memory_order_release);
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
	bool at_exit = unload_is_exit();
	struct thread_block *b;

	if (at_exit)
		atomic_store_explicit(&m->is_exit, true, memory_order_release);
	/*
	 * Threads that end later must not call release(), which may be unloaded by then.
	 */
	if (atomic_exchange_explicit(&m->has_key, false, memory_order_release))
		pthread_key_delete(m->key);
	if (at_exit)
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

static uintptr_t self(void)
{
	return (uintptr_t)pthread_self();
}

static bool is_own(const struct thread_memory *m, const struct thread_block *b)
{
	return atomic_load_explicit(&b->owner, memory_order_acquire) == self() &&
	       b->memory == m;
}

static struct thread_block *find_by_thread(struct thread_memory *m)
{
	struct thread_block *b = atomic_load_explicit(&m->blocks, memory_order_acquire);

	for (; b; b = b->next)
		if (is_own(m, b))
			return b;
	for (size_t i = 0; i < SPARES; i++)
		if (is_own(m, &spares[i]))
			return &spares[i];
	return NULL;
}

/* It is set before the key is deleted, which may happen at any moment. */
static bool is_exit(struct thread_memory *m)
{
	return atomic_load_explicit(&m->is_exit, memory_order_acquire);
}

static struct thread_block *find(struct thread_memory *m)
{
	struct thread_block *b = NULL;

	if (likely(atomic_load_explicit(&m->has_key, memory_order_acquire)))
		b = pthread_getspecific(m->key);
	if (unlikely(!b) && is_exit(m))
		b = find_by_thread(m);
	return b;
}

static bool remember(struct thread_memory *m, struct thread_block *b)
{
	b->memory = m;
	atomic_store_explicit(&b->owner, self(), memory_order_release);
	return (atomic_load_explicit(&m->has_key, memory_order_acquire) &&
		pthread_setspecific(m->key, b) == 0) ||
	       is_exit(m);
}

static struct thread_block *make(struct thread_memory *m)
{
	struct thread_block *b;

	if (!atomic_load_explicit(&m->has_key, memory_order_acquire) && !is_exit(m))
		return NULL; /* the block would never be released */
	b = claim_unused(m);
	if (!b)
		b = add_block(m);
	if (!b)
		b = claim_spare();
	if (b && !remember(m, b)) {
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
