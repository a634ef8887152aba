/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk/model.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

void notes_reset(struct notes *notes, size_t bsize, bool in_place)
{
	memset(notes, 0, sizeof(*notes));
	notes->bsize = bsize;
	notes->in_place = in_place;
	for (unsigned block = 0; block < NTRACKED; block++)
		notes_confirmed(notes, block, 0);
}

void notes_confirmed(struct notes *notes, unsigned block, uint64_t gen)
{
	notes->block[block] = (struct outcomes){.n = 1, .gen = {gen}};
}

void notes_possible(struct notes *notes, unsigned block, uint64_t gen)
{
	struct outcomes *o = &notes->block[block];

	if (o->n == MAX_OUTCOMES)
		die("block %u failed too often", block);
	o->gen[o->n++] = gen;
}

struct notes *notes_map(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct notes *notes;

	if (fd < 0 || ftruncate(fd, sizeof(*notes)) != 0)
		die("%s: %s", path, strerror(errno));
	notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (notes == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	close(fd);
	return notes;
}

unsigned model_block(unsigned thread, unsigned nthread, uint64_t op)
{
	unsigned own = (unsigned)(mix(mix(thread) + op) % (NTRACKED / nthread));

	return own * nthread + thread;
}

long long model_place(const struct target *t, unsigned block)
{
	if (t->memory || block < NTRACKED / 2)
		return block;
	return t->last * (block - NTRACKED / 2 + 1) / (NTRACKED / 2);
}

int model_outcome(const struct notes *notes, unsigned block, const uint64_t *buf,
		  int error)
{
	const struct outcomes *o = &notes->block[block];
	uint64_t want[MAX_BSIZE / 8];

	for (unsigned i = 0; i < o->n; i++) {
		enum kind kind = content_kind(o->gen[i]);

		if (notes->in_place && o->gen[i])
			kind = WRITE;
		if (kind == ERROR && error == EIO)
			return (int)i;
		if (kind == ERROR || error)
			continue;
		memset(want, 0, notes->bsize);
		if (kind == WRITE)
			content_fill(want, notes->bsize, block, o->gen[i]);
		if (memcmp(buf, want, notes->bsize) == 0)
			return (int)i;
	}
	return -1;
}

static int map_in_place(struct target *t)
{
	int fd = open(t->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	size_t size = NTRACKED * t->bsize;
	int error;

	if (fd < 0)
		return errno;
	error = posix_fallocate(fd, 0, (off_t)size);
	if (error == 0)
		t->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (error == 0 && (t->memory == MAP_FAILED || fsync(fd) != 0))
		error = errno;
	close(fd);
	t->last = NTRACKED - 1;
	return error;
}

static int take_pool(struct target *t, PMEMblkpool *pool)
{
	if (!pool)
		return errno;
	t->pool = pool;
	t->last = (long long)pmemblk_nblock(pool) - 1;
	return 0;
}

int target_create(struct target *t, const char *path, size_t bsize, size_t size,
		  bool in_place)
{
	*t = (struct target){.path = path, .bsize = bsize};
	if (in_place)
		return map_in_place(t);
	return take_pool(t, pmemblk_create(path, bsize, size, 0600));
}

int target_open(struct target *t, const char *path, size_t bsize, bool in_place)
{
	*t = (struct target){.path = path, .bsize = bsize};
	if (in_place)
		return map_in_place(t);
	return take_pool(t, pmemblk_open(path, bsize));
}

int target_modify(const struct target *t, unsigned block, uint64_t gen)
{
	long long lba = model_place(t, block);
	uint64_t buf[MAX_BSIZE / 8];
	int rc;

	content_fill(buf, t->bsize, block, gen);
	if (t->memory) {
		char *place = t->memory + (size_t)lba * t->bsize;

		memcpy(place, buf, t->bsize);
		place -= (uintptr_t)place % 4096;
		return msync(place, t->bsize + 4096, MS_SYNC) == 0 ? 0 : errno;
	}
	switch (content_kind(gen)) {
	case ZERO:
		rc = pmemblk_set_zero(t->pool, lba);
		break;
	case ERROR:
		rc = pmemblk_set_error(t->pool, lba);
		break;
	default:
		rc = pmemblk_write(t->pool, buf, lba);
	}
	return rc == 0 ? 0 : errno;
}

int target_read(const struct target *t, long long lba, uint64_t *buf)
{
	if (t->pool)
		return pmemblk_read(t->pool, buf, lba) == 0 ? 0 : errno;
	memcpy(buf, t->memory + (size_t)lba * t->bsize, t->bsize);
	return 0;
}

void target_close(struct target *t)
{
	if (t->pool)
		pmemblk_close(t->pool);
	t->pool = NULL;
}
