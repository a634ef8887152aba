/* SPDX-License-Identifier: BSD-3-Clause */
#include "pool/liveness.h"

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/shm.h>
#include <unistd.h>

/* A segment that lasts until its last attachment ends; NULL. */
static void *attach_new(int *id)
{
	void *at;

	*id = shmget(IPC_PRIVATE, sizeof(struct liveness_nonce), IPC_CREAT | 0600);
	if (*id < 0)
		return NULL;
	at = shmat(*id, NULL, 0);
	shmctl(*id, IPC_RMID, NULL);
	return at == (void *)-1 ? NULL : at;
}

bool liveness_begin(struct liveness_witness *w)
{
	struct liveness_nonce nonce;

	if (getrandom(&nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return false;
	w->content = attach_new(&w->id);
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

/* Whether numbers mean here what they meant where the witness was made. */
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

bool liveness_set_mark(const struct liveness_witness *w, struct liveness_mark *m)
{
	if (!is_same_namespace(w))
		return false;
	m->at = attach_new(&m->id);
	if (!m->at)
		return false;
	if (madvise(m->at, (size_t)sysconf(_SC_PAGESIZE), MADV_DONTFORK) == 0)
		return true;
	liveness_drop_mark(m);
	return false;
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
