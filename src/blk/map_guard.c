/* SPDX-License-Identifier: BSD-3-Clause */
#include "map_guard.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_CHANGES 8u

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

static void set_owner(struct map_guard *guard, uint32_t owner)
{
	atomic_store_explicit(&guard->owner, owner, memory_order_release);
}

void map_guard_init(struct map_guard *guard, bool biased)
{
	biased =
	    biased && BIAS_PAYS && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
	*guard = (struct map_guard){.changes = 0};
	atomic_init(&guard->owner, biased ? MAP_GUARD_NOBODY : MAP_GUARD_OFF);
}

/* Makes the thread the owner if that can be done at once, else ends the bias. */
static void change_owner_locked(struct map_guard *guard, uint32_t thread)
{
	uint32_t owner = atomic_load_explicit(&guard->owner, memory_order_relaxed);
	bool may_change = guard->changes++ < MAX_CHANGES;

	if (owner == MAP_GUARD_OFF || owner == thread)
		return;
	if (owner == MAP_GUARD_NOBODY) {
		set_owner(guard, thread);
		return;
	}
	set_owner(guard, MAP_GUARD_ENDING);
	run_barriers();
	/* acquire: what the former owner did inside */
	if (atomic_load_explicit(&guard->inside.held, memory_order_acquire) != 0)
		may_change = false;
	set_owner(guard, may_change ? thread : MAP_GUARD_OFF);
}

bool map_guard_enter_slow(struct map_guard *guard, uint32_t thread, uint32_t number,
			  struct lock *lock)
{
	while (atomic_load_explicit(&guard->owner, memory_order_acquire) !=
	       MAP_GUARD_OFF) {
		lock_acquire(&guard->change);
		change_owner_locked(guard, thread);
		lock_release(&guard->change);
		if (map_guard_is_owner(guard, thread) &&
		    map_guard_enter_biased(guard, thread, number))
			return true;
	}
	lock_acquire(lock);
	/* acquire: what the last owner did inside */
	while (unlikely(atomic_load_explicit(&guard->inside.held, memory_order_acquire) ==
			number + 1))
		lock_wait_slow(&guard->inside);
	return false;
}
