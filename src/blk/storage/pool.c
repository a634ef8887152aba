/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The media behind storage.h.
 *
 * Persistent memory: stores are cached and written back line by line, or non-temporal. A store
 * fence waits for both. Only a real store fence orders non-temporal stores. libpmem's drain is
 * not always a store fence: it is none on CPUs that have clflush only, and where the caches are
 * saved on power loss. So this file has a fence of its own.
 *
 * Files: stores are ordinary ones. To renew means to store again, which makes the page dirty. A
 * step collects the range that its flushes cover. The fence syncs that range, together with the
 * ranges of other threads (storage/sync_group.h). The kernel may write any page earlier, in any
 * order.
 *
 * Private copies: nothing becomes durable. Fences still order stores between threads.
 *
 * Views, for processes that may only read: stores have no effect.
 */
#include "storage/pool.h"

#include <errno.h>
#include <libpmem.h>
#include <stdio.h>
#include <string.h>

#include "errormsg.h"
#include "storage/sigbus.h"
#include "storage/sync_group.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#define SHORT_COPY ((size_t)1024)

/* libpmem is faster at short copies; the C library adapts long ones to the CPU. */
static void *copy_out(void *dest, const void *src, size_t len)
{
	if (unlikely(len > SHORT_COPY))
		return memcpy(dest, src, len);
	return pmem_memcpy(dest, src, len, PMEM_F_MEM_NOFLUSH);
}

static void store32(struct storage *s, uint64_t off, uint32_t value)
{
	_Atomic(uint32_t) *p = (void *)(s->base + off);

	atomic_store_explicit(p, value, memory_order_relaxed);
}

static void store64(struct storage *s, uint64_t off, uint64_t value)
{
	_Atomic(uint64_t) *p = (void *)(s->base + off);

	atomic_store_explicit(p, value, memory_order_relaxed);
}

/* --- persistent memory --------------------------------------------------------------- */

static void pmem_write(struct storage *s, struct storage_step *step, uint64_t off,
		       const void *src, size_t len)
{
	unsigned flags = PMEM_F_MEM_NODRAIN;

	(void)step;
	/* for the end of a block, which is rarely in a cache: see btt_store_data() */
	if (len == STORAGE_LINE && off % STORAGE_LINE == 0)
		flags |= PMEM_F_MEM_WC;
	pmem_memcpy(s->base + off, src, len, flags);
}

static void pmem_zero(struct storage *s, struct storage_step *step, uint64_t off,
		      size_t len)
{
	(void)step;
	pmem_memset(s->base + off, 0, len, PMEM_F_MEM_NODRAIN);
}

static void flush_lines(struct storage *s, struct storage_step *step, uint64_t off,
			size_t len)
{
	(void)step;
	pmem_flush(s->base + off, len);
}

/* A flush writes the line back, also if another process stored it: nothing to store again. */
static void flush_word(struct storage *s, struct storage_step *step, uint64_t off,
		       uint32_t seen)
{
	(void)step;
	(void)seen;
	pmem_flush(s->base + off, sizeof(seen));
}

static void flush_seen(struct storage *s, struct storage_step *step, uint64_t off,
		       const void *seen, size_t len)
{
	(void)step;
	(void)seen;
	pmem_flush(s->base + off, len);
}

static int drain(struct storage *s, struct storage_step *step)
{
	(void)s;
	(void)step;
#if defined(__x86_64__)
	/* libpmem's drain does the same, or less */
	_mm_sfence();
#else
	pmem_drain();
	atomic_thread_fence(memory_order_seq_cst);
#endif
	return 0;
}

/* All operations except the fence, which differs between the tables. */
#define PMEM_STORES                                                                      \
	.copy_out = copy_out, .store32 = store32, .store64 = store64,                    \
	.write = pmem_write, .zero = pmem_zero, .flush = flush_lines,                    \
	.renew32 = flush_word, .renew = flush_seen

static const struct storage_ops pmem_ops = {PMEM_STORES, .fence = drain};

/* --- files --------------------------------------------------------------------------- */

static void note_range(struct storage *s, struct storage_step *step, uint64_t off,
		       size_t len)
{
	(void)s;
	if (len == 0)
		return;
	if (off < step->lo)
		step->lo = off;
	if (off + len > step->hi)
		step->hi = off + len;
}

static void plain_write(struct storage *s, struct storage_step *step, uint64_t off,
			const void *src, size_t len)
{
	memcpy(s->base + off, src, len);
	note_range(s, step, off, len);
}

static void plain_zero(struct storage *s, struct storage_step *step, uint64_t off,
		       size_t len)
{
	memset(s->base + off, 0, len);
	note_range(s, step, off, len);
}

static void store_again32(struct storage *s, struct storage_step *step, uint64_t off,
			  uint32_t seen)
{
	store32(s, off, seen);
	note_range(s, step, off, sizeof(seen));
}

/* Word by word, so that a reader never sees half of a word. */
static void store_again(struct storage *s, struct storage_step *step, uint64_t off,
			const void *seen, size_t len)
{
	for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, (const char *)seen + at, sizeof(word));
		store64(s, off + at, word);
	}
	note_range(s, step, off, len);
}

static int sync_bytes(void *arg, uint64_t lo, uint64_t hi)
{
	struct storage *s = arg;

	if (pmem_msync(s->base + lo, (size_t)(hi - lo)) != 0)
		return errormsg_fail_sys(errno, "cannot synchronise the pool file");
	return 0;
}

static int sync_range(struct storage *s, struct storage_step *step)
{
	const struct storage_step range = *step;

	*step = (struct storage_step)STORAGE_STEP_INIT;
	atomic_thread_fence(memory_order_release);
	if (range.lo >= range.hi)
		return 0;
	if (s->group)
		return sync_group_commit(s->group, range.lo, range.hi, sync_bytes, s);
	return sync_bytes(s, range.lo, range.hi);
}

#define PLAIN_STORES                                                                     \
	.copy_out = copy_out, .store32 = store32, .store64 = store64,                    \
	.write = plain_write, .zero = plain_zero, .flush = note_range
#define FILE_STORES PLAIN_STORES, .renew32 = store_again32, .renew = store_again

static const struct storage_ops file_ops = {FILE_STORES, .fence = sync_range};

/* --- with lost pages ------------------------------------------------------------------- */

static int fail_if_hit(struct storage *s, int ret)
{
	if (ret == 0 && sigbus_is_hit(s->watch))
		return errormsg_fail(EIO, "a media error was met");
	return ret;
}

static int drain_watched(struct storage *s, struct storage_step *step)
{
	return fail_if_hit(s, drain(s, step));
}

static int sync_range_watched(struct storage *s, struct storage_step *step)
{
	return fail_if_hit(s, sync_range(s, step));
}

static const struct storage_ops watched_pmem_ops = {PMEM_STORES, .fence = drain_watched};
static const struct storage_ops watched_file_ops = {FILE_STORES,
						    .fence = sync_range_watched};

void storage_pool_watch(struct storage *s, struct sigbus_watch *watch)
{
	s->watch = watch;
	if (s->ops == &pmem_ops)
		s->ops = &watched_pmem_ops;
	else if (s->ops == &file_ops)
		s->ops = &watched_file_ops;
}

/* --- private copies ------------------------------------------------------------------ */

static int order_only(struct storage *s, struct storage_step *step)
{
	(void)s;
	*step = (struct storage_step)STORAGE_STEP_INIT;
	atomic_thread_fence(memory_order_release);
	return 0;
}

static void keep32(struct storage *s, struct storage_step *step, uint64_t off,
		   uint32_t seen)
{
	(void)seen;
	note_range(s, step, off, sizeof(seen));
}

static void keep(struct storage *s, struct storage_step *step, uint64_t off,
		 const void *seen, size_t len)
{
	(void)seen;
	note_range(s, step, off, len);
}

static const struct storage_ops private_ops = {PLAIN_STORES, .renew32 = keep32,
					       .renew = keep, .fence = order_only};

/* --- views ----------------------------------------------------------------------------- */

static void drop_store32(struct storage *s, uint64_t off, uint32_t value)
{
	(void)s;
	(void)off;
	(void)value;
}

static void drop_store64(struct storage *s, uint64_t off, uint64_t value)
{
	(void)s;
	(void)off;
	(void)value;
}

static void drop_write(struct storage *s, struct storage_step *step, uint64_t off,
		       const void *src, size_t len)
{
	(void)src;
	note_range(s, step, off, len);
}

static const struct storage_ops view_ops = {
    .copy_out = copy_out,
    .store32 = drop_store32,
    .store64 = drop_store64,
    .write = drop_write,
    .zero = note_range,
    .flush = note_range,
    .renew32 = keep32,
    .renew = keep,
    .fence = order_only,
};

/* ------------------------------------------------------------------------------------- */

void storage_pool_init(struct storage *s, void *base, uint64_t size,
		       enum storage_medium medium)
{
	static const struct storage_ops *const ops[] = {
	    [STORAGE_PMEM] = &pmem_ops,
	    [STORAGE_FILE] = &file_ops,
	    [STORAGE_PRIVATE] = &private_ops,
	    [STORAGE_VIEW] = &view_ops,
	};

	s->ops = ops[medium];
	s->base = base;
	s->size = size;
	s->next_data = NULL;
	s->holes = NULL;
	s->group = NULL;
	s->watch = NULL;
	s->eager_flush = medium != STORAGE_FILE;
	s->drops_pages = medium == STORAGE_FILE;
	s->line_order = false;
#if defined(__x86_64__)
	s->line_order = medium == STORAGE_PMEM;
#endif
}

/* --- deep flushes ---------------------------------------------------------------------- */

/* Takes over libpmem's message, which names what failed. */
static int fail_as_libpmem(const char *what)
{
	int err = errno;
	char text[1024];

	/*
	 * A copy, because in a program that is linked with both archives it can be the same
	 * buffer.
	 */
	snprintf(text, sizeof(text), "%s", pmem_errormsg());
	return errormsg_fail(err, "%s: %s", what, text);
}

int storage_pool_deep_map(const char *path, struct storage_deep *deep)
{
	deep->addr = pmem_map_file(path, 0, 0, 0, &deep->len, NULL);
	deep->is_device = deep->addr != NULL;
	return deep->addr ? 0 : fail_as_libpmem("cannot prepare deep flushes");
}

void storage_pool_deep_unmap(const struct storage_deep *deep)
{
	if (deep->is_device)
		pmem_unmap(deep->addr, deep->len);
}

void storage_pool_deep_flush(const struct storage *s, uint64_t off, size_t len)
{
	pmem_deep_flush(s->base + off, len);
}

int storage_pool_deep_drain(const struct storage_deep *deep)
{
	int err;

	if (pmem_deep_drain(deep->addr, deep->len) == 0)
		return 0;
	err = errno;
	/*
	 * A user of a device is often not allowed to write to its region, or sysfs is read-only.
	 */
	if (deep->is_device && (err == EACCES || err == EPERM || err == EROFS))
		return 0;
	errno = err;
	return fail_as_libpmem("the deep flush failed");
}

/* --------------------------------------------------------------------------------------- */

bool storage_pool_can_flush(const char *path)
{
#if defined(__x86_64__) || defined(__aarch64__)
	(void)path; /* every CPU has CLFLUSH, or DC CVAC */
	return true;
#else
	int is_pmem = 0;
	size_t len;
	void *addr = pmem_map_file(path, 0, 0, 0, &len, &is_pmem);

	if (addr)
		pmem_unmap(addr, len);
	return addr && is_pmem;
#endif
}

bool storage_pool_is_pmem(const void *base, uint64_t size)
{
	return pmem_is_pmem(base, (size_t)size) == 1;
}
