/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages live in buffers that are allocated at the first failure of a thread and handed
 * on when the thread ends. They are kept on a list that only grows, so that unloading the
 * library (from whatever thread) frees them all, and so that nothing here needs a lock
 * that a fork could leave taken. When no memory is to be had, a short buffer inside the
 * thread's static storage serves instead: an error text must never be the reason to
 * abort.
 *
 * A large thread-local array would be simpler, but it would be carved out of every
 * thread's stack and break programs that run threads on minimal stacks.
 */
#include "errormsg.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct buffer {
	struct buffer *next;
	atomic_bool
	    used; /* owned by a live thread; release on thread exit, acquire on claim */
	char text[ERRORMSG_MAX];
};

#define THREAD_LOCAL static __thread __attribute__((tls_model("initial-exec")))

static _Atomic(struct buffer *) buffers;
static pthread_key_t exit_key;
static bool have_exit_key;

THREAD_LOCAL struct buffer *mine;
THREAD_LOCAL char fallback[160];

static void release(void *buf)
{
	struct buffer *b = buf;

	b->text[0] = '\0';
	mine = NULL;
	atomic_store_explicit(&b->used, false, memory_order_release);
}

__attribute__((constructor(101))) static void load(void)
{
	have_exit_key = pthread_key_create(&exit_key, release) == 0;
}

__attribute__((destructor(101))) static void unload(void)
{
	struct buffer *b = atomic_exchange(&buffers, NULL);

	if (have_exit_key)
		pthread_key_delete(exit_key);
	have_exit_key = false;
	mine = NULL;
	while (b) {
		struct buffer *next = b->next;

		free(b);
		b = next;
	}
}

static struct buffer *claim_unused(void)
{
	struct buffer *b = atomic_load_explicit(&buffers, memory_order_acquire);

	for (; b; b = b->next)
		if (!atomic_exchange_explicit(&b->used, true, memory_order_acquire))
			return b;
	return NULL;
}

static struct buffer *add_buffer(void)
{
	struct buffer *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	atomic_init(&b->used, true);
	b->next = atomic_load_explicit(&buffers, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
	    &buffers, &b->next, b, memory_order_release, memory_order_relaxed))
		;
	return b;
}

static char *writable(size_t *size)
{
	if (!mine && have_exit_key) {
		mine = claim_unused();
		if (!mine)
			mine = add_buffer();
		if (mine && pthread_setspecific(exit_key, mine) != 0)
			release(mine);
	}
	*size = mine ? sizeof(mine->text) : sizeof(fallback);
	return mine ? mine->text : fallback;
}

PRINTF_LIKE(2, 0) static void format(int err, const char *fmt, va_list ap)
{
	size_t size;
	char *text = writable(&size);
	const char *reason = err ? strerror(err) : "";
	size_t room = strlen(reason) + sizeof(": ");
	int n = vsnprintf(text, size, fmt, ap);
	size_t at = n < 0 ? 0 : (size_t)n;

	if (!err)
		return;
	if (at + room > size) /* a long path must not push the reason out */
		at = size - room;
	snprintf(text + at, size - at, ": %s", reason);
}

const char *errormsg_get(void)
{
	return mine ? mine->text : fallback;
}

void errormsg_set(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format(0, fmt, ap);
	va_end(ap);
}

int errormsg_fail_at(const char *file, unsigned line, const char *function, int err,
		     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format(0, fmt, ap);
	va_end(ap);
	LOG_AT(LOG_LEVEL_ERROR, file, line, function, "%s", errormsg_get());
	return -err;
}

int errormsg_fail_sys_at(const char *file, unsigned line, const char *function, int err,
			 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format(err, fmt, ap);
	va_end(ap);
	LOG_AT(LOG_LEVEL_ERROR, file, line, function, "%s", errormsg_get());
	return -err;
}
