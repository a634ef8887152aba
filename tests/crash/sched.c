/* SPDX-License-Identifier: BSD-3-Clause */
#include "sched.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define FIBERS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(FIBERS)
#define FIBERS 1
#endif
#ifdef FIBERS
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_SIZE ((size_t)1 << 20)

struct coroutine {
	ucontext_t context;
	void *stack;
	void (*fn)(void *arg);
	void *arg;
	bool done;
	bool (*ready)(const void *arg); /* NULL: not blocked */
	const void *ready_arg;
	void *fake_stack;
};

static struct coroutine coroutines[SCHED_MAX];
static unsigned ncoroutine;
static int current = -1;
static unsigned paused;
static ucontext_t home;
#ifdef FIBERS
static const void *home_stack;
static size_t home_size;
static void *home_fake;
#endif

static void to_home(struct coroutine *c)
{
#ifdef FIBERS
	__sanitizer_start_switch_fiber(c->done ? NULL : &c->fake_stack, home_stack,
				       home_size);
#endif
	swapcontext(&c->context, &home);
#ifdef FIBERS
	__sanitizer_finish_switch_fiber(c->fake_stack, &home_stack, &home_size);
#endif
}

static void enter(void)
{
	struct coroutine *c = &coroutines[current];

#ifdef FIBERS
	__sanitizer_finish_switch_fiber(NULL, &home_stack, &home_size);
#endif
	c->fn(c->arg);
	c->done = true;
	to_home(c);
}

static void to_coroutine(int i)
{
	struct coroutine *c = &coroutines[i];

	current = i;
#ifdef FIBERS
	__sanitizer_start_switch_fiber(&home_fake, c->stack, STACK_SIZE);
#endif
	swapcontext(&home, &c->context);
#ifdef FIBERS
	__sanitizer_finish_switch_fiber(home_fake, NULL, NULL);
#endif
	current = -1;
}

void sched_reset(void)
{
	ncoroutine = 0;
	current = -1;
	paused = 0;
}

void sched_spawn(void (*fn)(void *arg), void *arg)
{
	struct coroutine *c = &coroutines[ncoroutine];

	if (ncoroutine == SCHED_MAX)
		abort();
	if (!c->stack) {
		c->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (c->stack == MAP_FAILED) {
			perror("stack of a coroutine");
			abort();
		}
	}
	c->fn = fn;
	c->arg = arg;
	c->done = false;
	c->ready = NULL;
	c->fake_stack = NULL;
	getcontext(&c->context);
	c->context.uc_stack.ss_sp = c->stack;
	c->context.uc_stack.ss_size = STACK_SIZE;
	c->context.uc_link = NULL;
	makecontext(&c->context, enter, 0);
	ncoroutine++;
}

enum sched_end sched_run(int (*choose)(void *arg, unsigned ready, int last), void *arg)
{
	int last = -1;

	for (;;) {
		unsigned alive = 0, ready = 0;
		int next;

		for (unsigned i = 0; i < ncoroutine; i++) {
			struct coroutine *c = &coroutines[i];

			if (c->done)
				continue;
			alive |= 1u << i;
			if (!c->ready || c->ready(c->ready_arg))
				ready |= 1u << i;
		}
		if (!alive)
			return SCHED_DONE;
		if (!ready)
			return SCHED_DEADLOCK;
		next = choose(arg, ready, last);
		if (next < 0)
			return SCHED_STOPPED;
		coroutines[next].ready = NULL;
		last = next;
		to_coroutine(next);
	}
}

int sched_current(void)
{
	return current;
}

void sched_point(void)
{
	if (current >= 0 && !paused)
		to_home(&coroutines[current]);
}

void sched_block(bool (*ready)(const void *arg), const void *arg)
{
	if (current < 0 || paused)
		return;
	coroutines[current].ready = ready;
	coroutines[current].ready_arg = arg;
	to_home(&coroutines[current]);
}

void sched_pause(void)
{
	paused++;
}

void sched_resume(void)
{
	paused--;
}
