/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A storage in a memfd: everything is durable at once. The memfd is sparse and tells its holes,
 * so that arenas of 512 GiB are possible. The storage counts the stores and fences of the code
 * under test.
 */
#ifndef RAM_STORAGE_H
#define RAM_STORAGE_H 1

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/storage.h"
#include "support.h"

struct ram_storage {
	struct storage s;
	int fd;
	_Atomic(unsigned long) stores;
	_Atomic(unsigned long) renewed; /* words of 4 bytes that were stored again */
	_Atomic(unsigned long) fences;
	unsigned long fail_fence_at; /* this fence and all later ones fail; 0: none */
	void (*at_fence)(void); /* called in each fence, by its thread; NULL: nothing */
};

static inline struct ram_storage *ram_of(struct storage *s)
{
	return (struct ram_storage *)s;
}

static void ram_write(struct storage *s, struct storage_step *step, uint64_t off,
		      const void *src, size_t len)
{
	(void)step;
	assert_true(off + len <= s->size);
	ram_of(s)->stores++;
	memcpy(s->base + off, src, len);
}

static void ram_store32(struct storage *s, uint64_t off, uint32_t value)
{
	assert_true(off % sizeof(value) == 0 && off + sizeof(value) <= s->size);
	ram_of(s)->stores++;
	atomic_store_explicit((_Atomic(uint32_t) *)(void *)(s->base + off), value,
			      memory_order_relaxed);
}

static void ram_store64(struct storage *s, uint64_t off, uint64_t value)
{
	assert_true(off % sizeof(value) == 0 && off + sizeof(value) <= s->size);
	ram_of(s)->stores++;
	atomic_store_explicit((_Atomic(uint64_t) *)(void *)(s->base + off), value,
			      memory_order_relaxed);
}

static void ram_zero(struct storage *s, struct storage_step *step, uint64_t off,
		     size_t len)
{
	(void)step;
	assert_true(off + len <= s->size);
	ram_of(s)->stores++;
	memset(s->base + off, 0, len);
}

static void ram_flush(struct storage *s, struct storage_step *step, uint64_t off,
		      size_t len)
{
	(void)step;
	assert_true(off + len <= s->size);
}

static void ram_renew32(struct storage *s, struct storage_step *step, uint64_t off,
			uint32_t seen)
{
	(void)step;
	assert_true(off % sizeof(seen) == 0 && off + sizeof(seen) <= s->size);
	ram_of(s)->renewed++;
}

static void ram_renew(struct storage *s, struct storage_step *step, uint64_t off,
		      const void *seen, size_t len)
{
	(void)step;
	(void)seen;
	assert_true(off % 8 == 0 && len % 8 == 0 && off + len <= s->size);
	ram_of(s)->renewed += len / 4;
}

static int ram_fence(struct storage *s, struct storage_step *step)
{
	struct ram_storage *r = ram_of(s);

	*step = (struct storage_step)STORAGE_STEP_INIT;
	if (r->at_fence)
		r->at_fence();
	return ++r->fences >= r->fail_fence_at && r->fail_fence_at ? -EIO : 0;
}

static const struct storage_ops ram_ops = {
    .copy_out = memcpy,
    ram_store32,
    ram_store64,
    ram_write,
    ram_zero,
    ram_flush,
    ram_renew32,
    ram_renew,
    ram_fence,
};

static uint64_t ram_next_data(struct storage *s, uint64_t off, uint64_t end)
{
	off_t at = lseek(ram_of(s)->fd, (off_t)off, SEEK_DATA);

	return at < 0 || (uint64_t)at > end ? end : (uint64_t)at;
}

static inline void ram_storage_init(struct ram_storage *r, uint64_t size)
{
	*r = (struct ram_storage){0};
	r->fd = memfd_create("ram_storage", MFD_CLOEXEC);
	assert_true(r->fd >= 0);
	assert_int_equal(ftruncate(r->fd, (off_t)size), 0);
	r->s.ops = &ram_ops;
	r->s.size = size;
	r->s.next_data = ram_next_data;
	r->s.base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	assert_true(r->s.base != MAP_FAILED);
}

static inline void ram_storage_fini(struct ram_storage *r)
{
	munmap(r->s.base, r->s.size);
	close(r->fd);
}

#endif
