/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Thread numbers. A thread takes the lowest free number at its first write and gives it back
 * when it ends. Whoever gets the number next gets the lanes with it: giving back is a release,
 * taking an acquire, so the lanes' state is handed over.
 */
#include "btt/lanes.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "errormsg.h"

#define WORD_BITS 64u
#define WORDS ((LANES_PRIVATE + WORD_BITS - 1) / WORD_BITS)

struct thread_state {
	unsigned serial; /* 0: not known yet */
	unsigned number; /* valid if serial is not 0 */
};

static _Atomic(uint64_t) taken[WORDS]; /* one bit for each number; acquire and release */
static _Atomic(unsigned) last_serial;
static pthread_key_t exit_key;
static bool have_exit_key;
static __thread struct thread_state self __attribute__((tls_model("initial-exec")));

static unsigned take_number(void)
{
	for (unsigned n = 0; n < LANES_PRIVATE; n++) {
		uint64_t bit = UINT64_C(1) << n % WORD_BITS;
		_Atomic(uint64_t) *word = &taken[n / WORD_BITS];

		if (!(atomic_load_explicit(word, memory_order_relaxed) & bit) &&
		    !(atomic_fetch_or_explicit(word, bit, memory_order_acquire) & bit))
			return n;
	}
	return LANES_PRIVATE;
}

static void give_number_back(unsigned n)
{
	if (n < LANES_PRIVATE)
		atomic_fetch_and_explicit(&taken[n / WORD_BITS],
					  ~(UINT64_C(1) << n % WORD_BITS),
					  memory_order_release);
}

static void end_thread(void *state)
{
	struct thread_state *s = state;

	give_number_back(s->number);
	s->serial = 0;
}

/* Only the forking thread lives on in the child. */
static void forget_other_threads(void)
{
	for (unsigned w = 0; w < WORDS; w++)
		atomic_store_explicit(&taken[w], 0, memory_order_relaxed);
	if (self.serial && self.number < LANES_PRIVATE)
		atomic_store_explicit(&taken[self.number / WORD_BITS],
				      UINT64_C(1) << self.number % WORD_BITS,
				      memory_order_relaxed);
}

__attribute__((constructor)) static void load(void)
{
	have_exit_key = pthread_key_create(&exit_key, end_thread) == 0 &&
			pthread_atfork(NULL, NULL, forget_other_threads) == 0;
}

__attribute__((destructor)) static void unload(void)
{
	if (have_exit_key)
		pthread_key_delete(exit_key);
	have_exit_key = false;
}

static void begin_thread(void)
{
	self.serial =
	    1 + atomic_fetch_add_explicit(&last_serial, 1, memory_order_relaxed);
	self.number = LANES_PRIVATE;
	if (!have_exit_key) /* the number would never come back */
		return;
	self.number = take_number();
	if (self.number < LANES_PRIVATE && pthread_setspecific(exit_key, &self) != 0) {
		give_number_back(self.number);
		self.number = LANES_PRIVATE;
	}
}

unsigned lane_thread(void)
{
	if (unlikely(self.serial == 0))
		begin_thread();
	return self.serial;
}

unsigned lane_hint(void)
{
	unsigned serial = lane_thread();

	return self.number < LANES_PRIVATE ? self.number : LANES_PRIVATE + serial;
}

int lanes_init(struct lanes *lanes, unsigned n)
{
	lanes->nshared = n < 16 ? 1 : n / 16;
	lanes->nprivate = (n - lanes->nshared) / 2;
	if (lanes->nprivate > LANES_PRIVATE)
		lanes->nprivate = LANES_PRIVATE;
	lanes->ring = alloc_aligned((lanes->nprivate + 1) * sizeof(*lanes->ring));
	lanes->shared = alloc_aligned(lanes->nshared * sizeof(*lanes->shared));
	if (lanes->ring && lanes->shared)
		return 0;
	lanes_fini(lanes);
	return errormsg_fail(ENOMEM, "out of memory for %u lanes", n);
}

void lanes_fini(struct lanes *lanes)
{
	alloc_free_aligned(lanes->ring);
	alloc_free_aligned(lanes->shared);
	lanes->ring = NULL;
	lanes->shared = NULL;
}
