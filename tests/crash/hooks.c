/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions that the code under test calls, so that the tests decide: scheduling points at its
 * atomic operations and at its loads of the pool, which thread waits, which lane is used.
 *
 * The table is compiled with -fsanitize=thread, which makes every access a call of one of the
 * functions below. The sanitizer's own run time is not linked.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "explore.h"
#include "hooks.h"
#include "btt/lanes.h"
#include "btt/lock.h"
#include "btt/map_guard.h"
#include "btt/redo.h"
#include "sched.h"
#include "base/uuid.h"

bool hooks_blind;
enum hooks_deaf hooks_deaf;
bool hooks_no_redo;
enum hooks_locks hooks_locks;
uint64_t hooks_turns;
bool hooks_ends_early;
uint64_t hooks_lent;

/* --- functions wrapped by the linker --------------------------------------------------- */

unsigned __wrap_lane_hint(uint64_t thread);
uint64_t __wrap_lane_thread(void);
void __wrap_lock_wait_slow(struct lock *lock, uint32_t *nap_ms);
int __wrap_uuid_generate(struct uuid *uuid);
uint32_t __real_btt_redo_entry_locked(const struct btt *btt,
				      const struct btt_arena *arena, uint32_t premap,
				      uint32_t entry);
uint32_t __wrap_btt_redo_entry_locked(const struct btt *btt,
				      const struct btt_arena *arena, uint32_t premap,
				      uint32_t entry);

void __real_btt_redo_collect_locked(const struct btt *btt, const struct btt_arena *arena,
				    uint32_t first, uint32_t n,
				    struct btt_redo_list *list);
void __wrap_btt_redo_collect_locked(const struct btt *btt, const struct btt_arena *arena,
				    uint32_t first, uint32_t n,
				    struct btt_redo_list *list);
unsigned __wrap_lanes_borrow(const struct lanes *lanes, unsigned want,
			     struct lanes_loan *loan, uint8_t *lane);
void __wrap_lanes_return(const struct lanes_loan *loan);
uint64_t __real_lanes_look(const struct lanes *lanes, unsigned number);
uint64_t __wrap_lanes_look(const struct lanes *lanes, unsigned number);
void __real_map_guard_take(struct map_guard *guard, uint32_t number, struct lock *lock);
void __wrap_map_guard_take(struct map_guard *guard, uint32_t number, struct lock *lock);

/*
 * Lane 0 stands for the lanes that the thread has for itself, if there are any. Lane 1 stands for
 * the lanes that it shares, so that a slot passes from thread to thread.
 */
unsigned __wrap_lane_hint(uint64_t thread)
{
	(void)thread;
#ifdef LANES_PRIVATE
	return explore_lane() || sched_current() < 0 ? LANES_PRIVATE
						     : (unsigned)sched_current();
#else
	return explore_lane();
#endif
}

uint64_t __wrap_lane_thread(void)
{
	return explore_thread();
}

uint64_t __wrap_lanes_look(const struct lanes *lanes, unsigned number)
{
	return __real_lanes_look(lanes, number) + LANE_TURN(hooks_turns, 0);
}

static bool is_free(const void *lock)
{
	return !atomic_load_explicit(&((const struct lock *)lock)->held,
				     memory_order_relaxed);
}

void __wrap_lock_wait_slow(struct lock *lock, uint32_t *nap_ms)
{
	(void)nap_ms;
	sched_block(is_free, lock);
}

int __wrap_uuid_generate(struct uuid *uuid)
{
	memset(uuid, 0x3c, sizeof(*uuid));
	return 0;
}

uint32_t __wrap_btt_redo_entry_locked(const struct btt *btt,
				      const struct btt_arena *arena, uint32_t premap,
				      uint32_t entry)
{
	if (hooks_no_redo)
		return entry;
	return __real_btt_redo_entry_locked(btt, arena, premap, entry);
}

void __wrap_btt_redo_collect_locked(const struct btt *btt, const struct btt_arena *arena,
				    uint32_t first, uint32_t n,
				    struct btt_redo_list *list)
{
	list->n = 0;
	if (!hooks_no_redo)
		__real_btt_redo_collect_locked(btt, arena, first, n, list);
}

/* Who borrows outside of the program gives everything back before the program goes on. */
static uint64_t *lent(void)
{
	static uint64_t elsewhere;

	return sched_current() < 0 ? &elsewhere : &hooks_lent;
}

/* As the real one, but the threads of the program have numbers that nobody took. */
unsigned __wrap_lanes_borrow(const struct lanes *lanes, unsigned want,
			     struct lanes_loan *loan, uint8_t *lane)
{
	unsigned got = 0;

	explore_fine_point();
	*loan = (struct lanes_loan){{0}};
	for (unsigned n = lanes->nprivate; n-- > SCHED_MAX && got < want;) {
		uint64_t bit = UINT64_C(1) << n;

		if (*lent() & bit)
			continue;
		loan->number[0] |= bit;
		lane[got++] = (uint8_t)(2 * n);
		lane[got++] = (uint8_t)(2 * n + 1);
	}
	*lent() |= loan->number[0];
	return got;
}

void __wrap_lanes_return(const struct lanes_loan *loan)
{
	explore_fine_point();
	*lent() &= ~loan->number[0];
}

void __wrap_map_guard_take(struct map_guard *guard, uint32_t number, struct lock *lock)
{
	static struct lock *first;
	static uint32_t first_number;

	if (hooks_locks == HOOKS_LOCKS_NOT_TAKEN)
		return;
	if (hooks_locks == HOOKS_LOCKS_SWAPPED && sched_current() == 1) {
		if (!first || number <= first_number) {
			first = lock;
			first_number = number;
			return;
		}
		__real_map_guard_take(guard, number, lock);
		number = first_number;
		lock = first;
		first = NULL;
	}
	__real_map_guard_take(guard, number, lock);
}

#ifdef HOOKED

/* --- the run time of the instrumented code --------------------------------------------- */

static bool active(void)
{
	return sched_current() >= 0;
}

/* The second load of a mutant reader returns the same value as its first load. */
static struct {
	const void *address;
	uint64_t value;
} first_load[SCHED_MAX];

static bool reading[SCHED_MAX];

/* The address of the poison mark that the thread must not see. */
static const void *unheard[SCHED_MAX];

static uint64_t deafened(const void *p, uint64_t value)
{
	int t = sched_current();

	if (t < 0 || !unheard[t] || unheard[t] != p)
		return value;
	if (hooks_deaf == HOOKS_DEAF_WRITER)
		unheard[t] = NULL;
	return 0;
}

static uint64_t blinded(const void *p, uint64_t value, bool in_image)
{
	int t = sched_current();

	if (t < 0 || !reading[t] || !hooks_blind || in_image)
		return value;
	if (first_load[t].address == p) {
		first_load[t].address = NULL;
		return first_load[t].value;
	}
	first_load[t].address = p;
	first_load[t].value = value;
	return value;
}

void hooks_reading(const void *poison)
{
	int t = sched_current();

	if (t < 0)
		return;
	first_load[t].address = NULL;
	reading[t] = poison != NULL;
	unheard[t] = hooks_deaf == HOOKS_DEAF_READER ? poison : NULL;
}

void hooks_writing(const void *poison)
{
	int t = sched_current();

	if (t >= 0)
		unheard[t] = hooks_deaf == HOOKS_DEAF_WRITER ? poison : NULL;
}

#define PLAIN(name)                                                                      \
	void name(void *p);                                                              \
	void name(void *p)                                                               \
	{                                                                                \
		(void)p;                                                                 \
	}

PLAIN(__tsan_read1)
PLAIN(__tsan_read2)
PLAIN(__tsan_read4)
PLAIN(__tsan_read8)
PLAIN(__tsan_read16)
PLAIN(__tsan_write1)
PLAIN(__tsan_write2)
PLAIN(__tsan_write4)
PLAIN(__tsan_write8)
PLAIN(__tsan_write16)
PLAIN(__tsan_unaligned_read2)
PLAIN(__tsan_unaligned_read4)
PLAIN(__tsan_unaligned_read8)
PLAIN(__tsan_unaligned_read16)
PLAIN(__tsan_unaligned_write2)
PLAIN(__tsan_unaligned_write4)
PLAIN(__tsan_unaligned_write8)
PLAIN(__tsan_unaligned_write16)
PLAIN(__tsan_func_entry)

#define NOTHING(name, parameters)                                                        \
	void name parameters;                                                            \
	void name parameters                                                             \
	{                                                                                \
	}

NOTHING(__tsan_init, (void))
NOTHING(__tsan_func_exit, (void))
NOTHING(__tsan_atomic_signal_fence, (int order __attribute__((unused))))
NOTHING(__tsan_read_range,
	(void *p __attribute__((unused)), size_t n __attribute__((unused))))
NOTHING(__tsan_write_range,
	(void *p __attribute__((unused)), size_t n __attribute__((unused))))
NOTHING(AnnotateIgnoreReadsBegin,
	(const char *f __attribute__((unused)), int l __attribute__((unused))))
NOTHING(AnnotateIgnoreReadsEnd,
	(const char *f __attribute__((unused)), int l __attribute__((unused))))

static bool ending[SCHED_MAX];

void hooks_ending(bool begins)
{
	if (active())
		ending[sched_current()] = begins;
}

/* It completes the flushes of the thread, too. Only for one that ends does the code rely on that. */
void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
	(void)order;
	if (active() && ending[sched_current()] && !hooks_ends_early)
		explore_complete();
}

/*
 * A point before each atomic access that another thread could observe, or that could observe
 * another thread.
 */
/* clang-format off */
#define ATOMICS(bits, type)                                                                \
	type __tsan_atomic##bits##_load(const volatile type *p, int order);                \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order);             \
	type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order);          \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *e,       \
							  type v, int ok, int fail);       \
	int __tsan_atomic##bits##_compare_exchange_weak(volatile type *p, type *e,         \
							type v, int ok, int fail);         \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type e, type v,  \
							int ok, int fail);                 \
	type __tsan_atomic##bits##_load(const volatile type *p, int order)                 \
	{                                                                                  \
		const void *address = (const void *)(uintptr_t)p;                          \
		type v;                                                                    \
                                                                                           \
		(void)order;                                                               \
		if (!active())                                                             \
			return __atomic_load_n(p, __ATOMIC_SEQ_CST);                       \
		explore_fine_point();                                                           \
		v = (type)blinded(address, __atomic_load_n(p, __ATOMIC_SEQ_CST),           \
				  explore_in_image(address));                              \
		v = (type)deafened(address, (uint64_t)v);                                  \
		explore_read((uint64_t)v);                                                 \
		return v;                                                                  \
	}                                                                                  \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order)              \
	{                                                                                  \
		(void)order;                                                               \
		explore_fine_point();                                                           \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                  \
	}                                                                                  \
	type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order)           \
	{                                                                                  \
		(void)order;                                                               \
		explore_fine_point();                                                           \
		v = __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                           \
		explore_read((uint64_t)v);                                                 \
		return v;                                                                  \
	}                                                                                  \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *e,       \
							  type v, int ok, int fail)        \
	{                                                                                  \
		int done;                                                                  \
                                                                                           \
		(void)ok;                                                                  \
		(void)fail;                                                                \
		explore_fine_point();                                                           \
		done = __atomic_compare_exchange_n(p, e, v, 0, __ATOMIC_SEQ_CST,           \
						   __ATOMIC_SEQ_CST);                      \
		explore_read((uint64_t)done);                                              \
		return done;                                                               \
	}                                                                                  \
	int __tsan_atomic##bits##_compare_exchange_weak(volatile type *p, type *e,         \
							type v, int ok, int fail)          \
	{                                                                                  \
		return __tsan_atomic##bits##_compare_exchange_strong(p, e, v, ok, fail);   \
	}                                                                                  \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type e, type v,  \
							int ok, int fail)                  \
	{                                                                                  \
		__tsan_atomic##bits##_compare_exchange_strong(p, &e, v, ok, fail);         \
		return e;                                                                  \
	}                                                                                  \
	FETCH(bits, type, add)                                                             \
	FETCH(bits, type, sub)                                                             \
	FETCH(bits, type, or)                                                              \
	FETCH(bits, type, and)

#define FETCH(bits, type, op)                                                              \
	type __tsan_atomic##bits##_fetch_##op(volatile type *p, type v, int order);        \
	type __tsan_atomic##bits##_fetch_##op(volatile type *p, type v, int order)         \
	{                                                                                  \
		(void)order;                                                               \
		explore_fine_point();                                                           \
		v = __atomic_fetch_##op(p, v, __ATOMIC_SEQ_CST);                           \
		explore_read((uint64_t)v);                                                 \
		return v;                                                                  \
	}
/* clang-format on */

ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)

/* --- copies from and to the pool ------------------------------------------------------- */

void *__real_memcpy(void *dest, const void *src, size_t len);
void *__wrap_memcpy(void *dest, const void *src, size_t len);
void *__tsan_memcpy(void *dest, const void *src, size_t len);
void *__tsan_memset(void *dest, int c, size_t len);
void *__tsan_memmove(void *dest, const void *src, size_t len);

void *__wrap_memcpy(void *dest, const void *src, size_t len)
{
	if (!active() || !explore_in_image(src))
		return __real_memcpy(dest, src, len);
	for (size_t at = 0; at < len; at += 8) {
		size_t n = len - at < 8 ? len - at : 8;
		uint64_t word = 0;

		explore_fine_point();
		__real_memcpy(&word, (const char *)src + at, n);
		__real_memcpy((char *)dest + at, &word, n);
		explore_read(word);
	}
	return dest;
}

void *__tsan_memcpy(void *dest, const void *src, size_t len)
{
	return __wrap_memcpy(dest, src, len);
}

void *__tsan_memset(void *dest, int c, size_t len)
{
	return memset(dest, c, len);
}

void *__tsan_memmove(void *dest, const void *src, size_t len)
{
	return memmove(dest, src, len);
}

#else

void hooks_reading(const void *poison)
{
	(void)poison;
}

void hooks_writing(const void *poison)
{
	(void)poison;
}

void hooks_ending(bool begins)
{
	(void)begins;
}

#endif
