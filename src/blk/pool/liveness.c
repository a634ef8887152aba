/* SPDX-License-Identifier: BSD-3-Clause */
#include "pool/liveness.h"

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/shm.h>
#include <unistd.h>

/*
 * Attaches a new segment that lasts until its last attachment ends. where: the mapping that it
 * replaces, or NULL.
 */
static void *attach_new(void *where, int *id)
{
	void *at;

	*id = shmget(IPC_PRIVATE, sizeof(struct liveness_nonce), IPC_CREAT | 0600);
	if (*id < 0)
		return NULL;
	at = shmat(*id, where, where ? SHM_REMAP : 0);
	shmctl(*id, IPC_RMID, NULL);
	return at == (void *)-1 ? NULL : at;
}

bool liveness_begin(struct liveness_witness *w)
{
	struct liveness_nonce nonce;

	if (getrandom(&nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return false;
	w->content = attach_new(NULL, &w->id);
	if (!w->content)
		return false;
	*w->content = nonce;
	return true;
}

void liveness_end(struct liveness_witness *w)
{
	if (w->content)
		shmdt(w->content);
	w->content = NULL;
}

/* Whether this process is in the IPC namespace of the witness. */
static bool is_same_namespace(const struct liveness_witness *w)
{
	const struct liveness_nonce *again;
	bool same;

	if (!w->content)
		return false;
	again = shmat(w->id, NULL, SHM_RDONLY);
	if (again == (void *)-1)
		return false;
	same = memcmp(again, w->content, sizeof(*again)) == 0;
	shmdt(again);
	return same;
}

/*
 * Stores the address in *half before the segment is attached there, so that a child can find it.
 */
bool liveness_set_mark(const struct liveness_witness *w, struct liveness_mark *m,
		       _Atomic(void *) *half)
{
	size_t len = (size_t)sysconf(_SC_PAGESIZE);
	void *page;

	if (!is_same_namespace(w))
		return false;
	page = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return false;
	atomic_store_explicit(half, page, memory_order_release);
	m->at = attach_new(page, &m->id);
	if (!m->at)
		munmap(page, len);
	else if (madvise(m->at, len, MADV_DONTFORK) != 0)
		liveness_drop_mark(m);
	atomic_store_explicit(half, NULL, memory_order_release);
	return m->at != NULL;
}

/*
 * shmdt(2) does nothing if there is no segment: the page was not replaced yet, or is unmapped
 * again.
 */
void liveness_drop_half(_Atomic(void *) *half)
{
	void *page = atomic_load_explicit(half, memory_order_relaxed);

	if (page)
		shmdt(page);
	atomic_store_explicit(half, NULL, memory_order_relaxed);
}

void liveness_drop_mark(struct liveness_mark *m)
{
	if (m->at)
		shmdt(m->at);
	m->at = NULL;
}

enum liveness liveness_judge(const struct liveness_witness *w, int id)
{
	struct shmid_ds segment;

	if (!is_same_namespace(w))
		return LIVENESS_UNKNOWN;
	if (shmctl(id, IPC_STAT, &segment) == 0)
		return segment.shm_nattch > 0 ? LIVENESS_ALIVE : LIVENESS_GONE;
	return errno == EINVAL || errno == EIDRM ? LIVENESS_GONE : LIVENESS_UNKNOWN;
}
