/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/map_guard.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "edge.h"
#include "kernel.h"

/* A gain was measured on x86-64 only. On other machines all threads take the locks. */
#if defined(__x86_64__)
#define BIAS_PAYS true
#else
#define BIAS_PAYS false
#endif

static bool membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0) == 0;
}

/*
 * Used if membarrier(2) fails, because the process has installed a filter of system calls (seccomp)
 * since the table was opened. This waits for 20 ms. No CPU keeps a store in its buffer so long.
 */
static void wait_for_store_buffers(void)
{
	static const struct timespec long_enough = {.tv_nsec = 20000000};
	struct edge edge = edge_enter(true);

	nanosleep(&long_enough, NULL);
	edge_leave(edge, 0);
}

static void run_barriers(void)
{
	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return;
	if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
	    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return;
	wait_for_store_buffers();
}

static void set_state(struct map_guard *guard, uint32_t state)
{
	atomic_store_explicit(&guard->state, state, memory_order_release);
}

static uint64_t owner_of(struct map_guard *guard, uint32_t term)
{
	return atomic_load_explicit(&guard->cell[term].owner, memory_order_relaxed);
}

static void begin_term(struct map_guard *guard, uint32_t term, uint64_t thread)
{
	atomic_store_explicit(&guard->cell[term].owner, thread, memory_order_relaxed);
	set_state(guard, term);
}

void map_guard_init(struct map_guard *guard, bool biased, _Atomic(uint64_t) *gate)
{
	biased =
	    biased && BIAS_PAYS && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
	*guard = (struct map_guard){.give_way.gate = gate};
	set_state(guard, biased ? 0 : MAP_GUARD_OFF);
}

/* Makes the thread the owner if that is possible at once; otherwise ends the bias. */
static void change_owner_locked(struct map_guard *guard, uint64_t thread)
{
	/* never ENDING: that takes the lock */
	uint32_t term = atomic_load_explicit(&guard->state, memory_order_relaxed);

	if (term >= MAP_GUARD_TERMS || owner_of(guard, term) == thread)
		return;
	if (owner_of(guard, term) == 0) {
		begin_term(guard, term, thread);
		return;
	}
	set_state(guard, MAP_GUARD_ENDING | term);
	run_barriers();
	/* acquire: the stores of the previous owner */
	if (term + 1 < MAP_GUARD_TERMS &&
	    atomic_load_explicit(&guard->cell[term].inside.held, memory_order_acquire) ==
		0)
		begin_term(guard, term + 1, thread);
	else
		set_state(guard, MAP_GUARD_OFF | term);
}

/* NULL: the bias has ended, for good. */
static struct lock *enter_as_owner(struct map_guard *guard, uint64_t thread,
				   uint32_t number)
{
	for (;;) {
		uint32_t state =
		    atomic_load_explicit(&guard->state, memory_order_acquire);
		struct lock *held;

		if (state & MAP_GUARD_OFF)
			return NULL;
		if (map_guard_is_owner(guard, state, thread) &&
		    map_guard_enter_biased(guard, state, number, &held))
			return held;
		lock_acquire(&guard->change);
		change_owner_locked(guard, thread);
		lock_release(&guard->change);
	}
}

struct lock *map_guard_enter_all(struct map_guard *guard, uint64_t thread)
{
	return enter_as_owner(guard, thread, MAP_GUARD_ALL);
}

static void wait_slow(struct map_guard *guard, struct lock *lock, uint32_t *nap_ms)
{
	uint32_t before = *nap_ms;

	lock_wait_slow(lock, nap_ms);
	if (*nap_ms != before)
		give_way_ask(&guard->give_way);
}

static bool is_inside(struct lock *inside, uint32_t number)
{
	/* acquire: what the last owner did inside */
	uint32_t held = atomic_load_explicit(&inside->held, memory_order_acquire);

	return held == number + 1 || held == MAP_GUARD_ALL + 1;
}

/* Waits for the lock, if it is not yet taken, and for the last owner. */
static NOINLINE void take_slow(struct map_guard *guard, uint32_t number,
			       struct lock *lock, bool taken, struct lock *inside)
{
	uint32_t nap_ms = LOCK_NAP_MS;

	while (!taken && !lock_try(lock))
		wait_slow(guard, lock, &nap_ms);
	while (is_inside(inside, number))
		wait_slow(guard, inside, &nap_ms);
	give_way_end(&guard->give_way);
}

void map_guard_take(struct map_guard *guard, uint32_t number, struct lock *lock)
{
	uint32_t state = atomic_load_explicit(&guard->state, memory_order_relaxed);
	struct lock *inside = &map_guard_cell(guard, state)->inside;
	bool taken = lock_try(lock);

	if (unlikely(!taken || is_inside(inside, number)))
		take_slow(guard, number, lock, taken, inside);
}

struct lock *map_guard_enter_slow(struct map_guard *guard, uint64_t thread,
				  uint32_t number, struct lock *lock)
{
	struct lock *held = enter_as_owner(guard, thread, number);

	if (held)
		return held;
	map_guard_take(guard, number, lock);
	return lock;
}
