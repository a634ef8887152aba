/* SPDX-License-Identifier: BSD-3-Clause */
#include "btt/map_guard.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Where the gain was measured; elsewhere everybody takes the locks. */
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
 * A process that has locked itself up (seccomp) since the table was opened may have lost the
 * system call. No CPU keeps a store in its buffer for as long as this.
 */
static void wait_for_store_buffers(void)
{
	static const struct timespec ages = {.tv_nsec = 20000000};

	nanosleep(&ages, NULL);
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

static void set_state(struct map_guard *guard, uint32_t turn, uint32_t owner)
{
	atomic_store_explicit(&guard->state, (uint64_t)turn << 32 | owner,
			      memory_order_release);
}

void map_guard_init(struct map_guard *guard, bool biased)
{
	biased =
	    biased && BIAS_PAYS && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
	*guard = (struct map_guard){.state = 0};
	set_state(guard, 0, biased ? MAP_GUARD_NOBODY : MAP_GUARD_OFF);
}

/* Makes the thread the owner if that can be done at once, else ends the bias. */
static void begin_turn_locked(struct map_guard *guard, uint32_t thread)
{
	uint64_t state = atomic_load_explicit(&guard->state, memory_order_relaxed);
	uint32_t owner = map_guard_owner(state);
	uint32_t turn = map_guard_turn(state);

	if (owner == MAP_GUARD_OFF || owner == thread)
		return;
	if (owner == MAP_GUARD_NOBODY) {
		set_state(guard, turn, thread);
		return;
	}
	set_state(guard, turn, MAP_GUARD_ENDING);
	run_barriers();
	/* acquire: what the former owner did inside */
	if (turn + 1 < MAP_GUARD_TURNS &&
	    atomic_load_explicit(&guard->cell[turn].inside.held, memory_order_acquire) ==
		0)
		set_state(guard, turn + 1, thread);
	else
		set_state(guard, turn, MAP_GUARD_OFF);
}

struct lock *map_guard_enter_slow(struct map_guard *guard, uint32_t thread,
				  uint32_t number, struct lock *lock)
{
	struct lock *inside;
	struct lock *held;
	uint64_t state;

	for (;;) {
		state = atomic_load_explicit(&guard->state, memory_order_acquire);
		if (map_guard_owner(state) == MAP_GUARD_OFF)
			break;
		if (map_guard_owner(state) == thread &&
		    map_guard_enter_biased(guard, state, number, &held))
			return held;
		lock_acquire(&guard->change);
		begin_turn_locked(guard, thread);
		lock_release(&guard->change);
	}
	lock_acquire(lock);
	/* acquire: what the last owner did inside */
	inside = &guard->cell[map_guard_turn(state)].inside;
	while (unlikely(atomic_load_explicit(&inside->held, memory_order_acquire) ==
			number + 1))
		lock_wait_slow(inside);
	return lock;
}
