/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Thread numbers. A thread takes the lowest free number at its first write and gives it back when
 * it ends. The thread that gets the number next gets its lanes, too. Giving a number back is a
 * release operation and taking one is an acquire operation, so the next thread sees the state of
 * the lanes.
 *
 * All that is kept for a thread fits into the value of a pthread key. Reading the value costs a
 * call. But the key needs no memory, and no thread-local storage: a library that is loaded late may
 * find no room there.
 */
#include "btt/lanes.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "errormsg.h"

#define WORD_BITS 64u
#define WORDS LANES_WORDS

_Static_assert(sizeof(void *) == sizeof(uint64_t), "a key's value holds 64 bits");
_Static_assert(LANES_PRIVATE <= LANE_NUMBER_MASK, "numbers have too few bits");

_Atomic(uint64_t) lane_last_serial;

static _Atomic(uint64_t) taken[WORDS]; /* one bit for each number; acquire and release */
static pthread_key_t key;
/* Relaxed. False after unload: then the key may belong to another library. */
static atomic_bool has_key;

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

static unsigned number_of(uint64_t thread)
{
	return (unsigned)(thread & LANE_NUMBER_MASK);
}

/*
 * R17 in btt/btt.c: the next thread with this number begins new turns at once, and other threads
 * then take the flushes of this thread as complete. On ARM no barrier between threads makes sure
 * that they are.
 */
static void complete_flushes(void)
{
#if defined(__aarch64__)
	__asm__ volatile("dsb sy" : : : "memory");
#endif
	atomic_thread_fence(memory_order_seq_cst);
}

void lane_end_thread(uint64_t thread)
{
	complete_flushes();
	give_number_back(number_of(thread));
}

static void end_thread(void *value)
{
	lane_end_thread((uint64_t)(uintptr_t)value);
}

/* The value of the calling thread; 0 if it has none yet. */
static uint64_t find_thread(void)
{
	if (unlikely(!atomic_load_explicit(&has_key, memory_order_relaxed)))
		return 0;
	return (uint64_t)(uintptr_t)pthread_getspecific(key);
}

/* In the child only the forking thread exists. */
static void forget_other_threads(void)
{
	uint64_t self = find_thread();
	unsigned n = number_of(self);

	for (unsigned w = 0; w < WORDS; w++)
		atomic_store_explicit(&taken[w], 0, memory_order_relaxed);
	if (self && n < LANES_PRIVATE)
		atomic_store_explicit(&taken[n / WORD_BITS], UINT64_C(1) << n % WORD_BITS,
				      memory_order_relaxed);
}

__attribute__((constructor)) static void load(void)
{
	if (pthread_key_create(&key, end_thread) != 0)
		return;
	if (pthread_atfork(NULL, NULL, forget_other_threads) == 0)
		atomic_store_explicit(&has_key, true, memory_order_relaxed);
	else
		pthread_key_delete(key);
}

/*
 * Threads that end later must not call end_thread(), which is unloaded by then. Threads that go
 * on while the process ends get a new serial number at each call.
 */
__attribute__((destructor)) static void unload(void)
{
	if (atomic_exchange_explicit(&has_key, false, memory_order_relaxed))
		pthread_key_delete(key);
}

static bool remember(uint64_t thread)
{
	return atomic_load_explicit(&has_key, memory_order_relaxed) &&
	       pthread_setspecific(key, (void *)(uintptr_t)thread) == 0;
}

/*
 * If the value of a thread cannot be stored, the thread gets a new serial number at each call. It
 * must not get a number, which would never be freed.
 */
static uint64_t begin_thread(void)
{
	uint64_t serial =
	    1 + atomic_fetch_add_explicit(&lane_last_serial, 1, memory_order_relaxed);
	unsigned n = take_number();

	if (!remember(LANE_THREAD(serial, n))) {
		give_number_back(n);
		n = LANES_PRIVATE;
	}
	return LANE_THREAD(serial, n);
}

uint64_t lane_thread(void)
{
	uint64_t thread = find_thread();

	return likely(thread) ? thread : begin_thread();
}

unsigned lane_hint(uint64_t thread)
{
	unsigned n = number_of(thread);

	return n < LANES_PRIVATE
		   ? n
		   : LANES_PRIVATE + (unsigned)(thread >> LANE_NUMBER_BITS & UINT16_MAX);
}

uint64_t lanes_look(const struct lanes *lanes, unsigned number)
{
	return LANE_TURN(
	    atomic_load_explicit(&lanes->ring[number].turns, memory_order_acquire),
	    number);
}

/* The bits of a word that stand for numbers less than end. */
static uint64_t below(unsigned end, unsigned w)
{
	unsigned first = w * WORD_BITS;

	if (end <= first)
		return 0;
	return end - first >= WORD_BITS ? UINT64_MAX : (UINT64_C(1) << (end - first)) - 1;
}

/* The numbers of a word that may be lent and are free. */
static uint64_t lendable(const struct lanes *lanes, unsigned w)
{
	unsigned kept = lanes->nprivate / LANES_KEPT_SHARE;
	uint64_t lent = below(lanes->nprivate, w) & ~below(kept, w);

	return lent & ~atomic_load_explicit(&taken[w], memory_order_relaxed);
}

/*
 * Takes the highest free numbers first, so that successive batches get the same lanes. If a batch
 * replaces blocks whose data lie side by side, it frees data blocks that lie side by side, and the
 * next batch writes to these.
 */
unsigned lanes_borrow(const struct lanes *lanes, unsigned want, struct lanes_loan *loan,
		      uint8_t *lane)
{
	unsigned need = (want + 1) / 2;
	unsigned got = 0;

	for (unsigned w = WORDS; w-- > 0;) {
		uint64_t bits = need ? lendable(lanes, w) : 0;

		while ((unsigned)__builtin_popcountll(bits) > need)
			bits &= bits - 1;
		if (bits)
			bits &= ~atomic_fetch_or_explicit(&taken[w], bits,
							  memory_order_acquire);
		loan->number[w] = bits;
		need -= (unsigned)__builtin_popcountll(bits);
		for (; bits; bits &= bits - 1) {
			unsigned n = w * WORD_BITS + (unsigned)__builtin_ctzll(bits);

			lane[got++] = (uint8_t)(2 * n);
			lane[got++] = (uint8_t)(2 * n + 1);
		}
	}
	return got;
}

void lanes_return(const struct lanes_loan *loan)
{
	for (unsigned w = 0; w < WORDS; w++)
		if (loan->number[w])
			atomic_fetch_and_explicit(&taken[w], ~loan->number[w],
						  memory_order_release);
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
