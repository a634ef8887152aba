/* SPDX-License-Identifier: BSD-3-Clause */
#include "poolset/fork.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fork_lock.h"
#include "mapping.h"

static struct fork_lock lock = FORK_LOCK_INIT;
static struct poolset *open_sets; /* under the lock */

void poolset_fork_hold(void)
{
	fork_lock_acquire(&lock);
}

void poolset_fork_release(void)
{
	fork_lock_release(&lock);
}

void poolset_fork_enter_held(struct poolset *set)
{
	set->next = open_sets;
	set->link = &open_sets;
	if (open_sets)
		open_sets->link = &set->next;
	open_sets = set;
}

void poolset_fork_leave_held(struct poolset *set)
{
	if (!set->link)
		return;
	*set->link = set->next;
	if (set->next)
		set->next->link = set->link;
	set->link = NULL;
	set->mapped = NULL;
}

/* Handlers of the program may have closed descriptors and opened others. */
static void drop_part(struct poolset_part *part)
{
	struct stat st;

	if (part->fd >= 0 && fstat(part->fd, &st) == 0 && st.st_dev == part->dev &&
	    st.st_ino == part->ino)
		close(part->fd);
	part->fd = -1;
}

static void drop_set(struct poolset *set)
{
	for (unsigned i = 0; i < set->npart; i++)
		drop_part(&set->part[i]);
	if (set->mapped)
		mapping_release(set->mapped, set->mapped_size, set->mapped_unit);
	set->mapped = NULL;
	set->link = NULL;
}

static void before_fork(void)
{
	fork_lock_before(&lock);
}

static void in_parent(void)
{
	fork_lock_after(&lock);
}

static void in_child(void)
{
	for (struct poolset *set = open_sets; set; set = set->next)
		drop_set(set);
	open_sets = NULL;
	fork_lock_after(&lock);
}

void poolset_fork_setup(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}
