/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long cached copies are flushed piece by piece, while the lines are still in the nearest
 * cache. Pieces end at line boundaries, so that no line is flushed twice. If source and
 * destination overlap, the pieces go in the direction in which no source byte is
 * overwritten before it was read.
 */
#include "copy.h"

/*
 * Bytes that are flushed together, a multiple of the line. Measured on Zen 4 and on Sapphire Rapids: sets
 * of 64 KiB to 16 MiB take 1.0 to 1.2 times as long with pieces of 4 KiB, and more with longer ones.
 */
#define PIECE ((size_t)512)

/* Without flushing only this flag asks for non-temporal stores; for the rest see copy_is_nt(). */
static bool is_nt_unflushed(const struct engine *e, unsigned flags)
{
	return !e->flushing && flags & PMEM_F_MEM_NONTEMPORAL &&
	       !(flags & PMEM_F_MEM_NOFLUSH) && e->kernel->set_nt;
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How far dest is above src; wraps around if it is below. */
static size_t up(const char *dest, const char *src)
{
	return (uintptr_t)dest - (uintptr_t)src;
}

/* Bytes from p to the next line; 0 at the start of a line. */
static size_t to_line(const char *p)
{
	return -(uintptr_t)p & (ENGINE_LINE - 1);
}

static void move_cached(const struct engine *e, char *dest, const char *src, size_t len)
{
	if (len <= SMALL_MAX)
		small_move(dest, src, len);
	else
		e->kernel->move_flushed(dest, src, len);
}

static void move_flushed(const struct engine *e, char *dest, const char *src, size_t len)
{
	move_cached(e, dest, src, len);
	copy_flush(e, dest, len);
}

static NOINLINE void move_in_pieces_forward(const struct engine *e, char *dest,
					    const char *src, size_t len)
{
	size_t n = min(len, to_line(dest) + PIECE);

	while (len) {
		move_flushed(e, dest, src, n);
		dest += n;
		src += n;
		len -= n;
		n = min(len, PIECE);
	}
}

/*
 * The CPU does not foresee that pieces go downwards. Measured on Zen 4: cached moves backward of 1 to
 * 16 MiB are 1.1 to 1.5 times as fast with these prefetches, and shorter ones as fast.
 */
#define PREFETCH_AHEAD ((size_t)2048)

static void prefetch_piece(const char *src)
{
	for (size_t i = 0; i < PIECE; i += ENGINE_LINE)
		__builtin_prefetch(src + i);
}

static NOINLINE void move_in_pieces_backward(const struct engine *e, char *dest,
					     const char *src, size_t len)
{
	size_t n = ((uintptr_t)dest + len) & (ENGINE_LINE - 1);

	for (n = min(len, n + PIECE); len; n = min(len, PIECE)) {
		len -= n;
		if (len >= PREFETCH_AHEAD)
			prefetch_piece(src + len - PREFETCH_AHEAD);
		move_flushed(e, dest + len, src + len, n);
	}
}

/* Flushes a part of one line, of at least a byte. */
static inline void flush_part(const struct engine *e, char *part, size_t len)
{
#ifdef __x86_64__
	if (likely(e->clwb)) {
		prefetch_store(part);
		__asm__ volatile("clwb %0" : "+m"(*part));
		return;
	}
#endif
	e->flush(part, len);
}

/* The shortest copy for which everything is looked at that pays only for long ones. */
#define NT_LONG ((size_t)2048)

static bool is_long(const struct engine *e, size_t len)
{
	return len >= NT_LONG || len >= e->nt_burst;
}

/*
 * Whether the end of a long copy, a part of a line, is stored non-temporally, too. Measured on Zen 4:
 * copies and sets of 16 KiB are 1.05 to 1.1 times as fast then, and those of 256 bytes slower.
 */
static bool has_nt_tail(const struct engine *e, size_t len, size_t tail)
{
	return len >= NT_LONG && e->kernel->move_nt_part && tail >= 8 &&
	       (tail & (tail - 1)) == 0;
}

/* The last bytes of a non-temporal copy of len bytes: less than a line, at the start of one. */
static void move_tail(const struct engine *e, char *dest, const char *src, size_t tail,
		      size_t len)
{
	if (has_nt_tail(e, len, tail)) {
		e->kernel->move_nt_part(dest, src, tail);
	} else if (tail) {
		small_move(dest, src, tail);
		flush_part(e, dest, tail);
	}
}

/* How many of len bytes, which begin at a line, are stored non-temporally. */
static size_t nt_part(size_t len)
{
	return len & ~(ENGINE_LINE - 1);
}

/*
 * With a fence after each burst: for CPUs that evict write-combining buffers too early.
 */
static NOINLINE void move_bursts_forward(const struct engine *e, char *dest,
					 const char *src, size_t len)
{
	while (len) {
		size_t n = min(len, e->nt_burst);

		e->kernel->move_nt_forward(dest, src, n);
		if (n == e->nt_burst)
			e->fence();
		dest += n;
		src += n;
		len -= n;
	}
}

static NOINLINE void move_bursts_backward(const struct engine *e, char *dest,
					  const char *src, size_t len)
{
	while (len) {
		size_t n = min(len, e->nt_burst);

		len -= n;
		e->kernel->move_nt_backward(dest + len, src + len, n);
		if (len)
			e->fence();
	}
}

/* For both functions: len >= ENGINE_LINE. */
static void move_nt_forward(const struct engine *e, char *dest, const char *src,
			    size_t len)
{
	size_t head = to_line(dest);
	size_t body = nt_part(len - head);
	size_t tail = len - head - body;

	if (head) {
		small_move(dest, src, head);
		flush_part(e, dest, head);
	}
	if (unlikely(e->nt_burst != SIZE_MAX))
		move_bursts_forward(e, dest + head, src + head, body);
	else if (body)
		e->kernel->move_nt_forward(dest + head, src + head, body);
	move_tail(e, dest + head + body, src + head + body, tail, len);
}

static NOINLINE void move_nt_backward(const struct engine *e, char *dest, const char *src,
				      size_t len)
{
	size_t head = to_line(dest);
	size_t body = nt_part(len - head);
	size_t tail = len - head - body;

	move_tail(e, dest + head + body, src + head + body, tail, len);
	if (unlikely(e->nt_burst != SIZE_MAX))
		move_bursts_backward(e, dest + head, src + head, body);
	else if (body)
		e->kernel->move_nt_backward(dest + head, src + head, body);
	if (head) {
		small_move(dest, src, head);
		flush_part(e, dest, head);
	}
}

/*
 * Whether the parts of lines at both ends of a copy are stored non-temporally, too. Measured on Zen 4:
 * copies and sets of 256 to 1,024 bytes with a fence after each are 1.25 to 1.4 times as fast then,
 * and without a fence half as fast.
 */
static bool has_nt_parts(const struct engine *e, const char *dest, size_t len,
			 unsigned flags)
{
	return !(flags & PMEM_F_MEM_NODRAIN) && e->kernel->move_nt_part &&
	       e->nt_burst == SIZE_MAX && (((uintptr_t)dest | len) & 7) == 0;
}

/* For both functions: dest and len are multiples of 8, len >= ENGINE_LINE. */
static NOINLINE void move_nt_words(const struct engine *e, char *dest, const char *src,
				   size_t len)
{
	const struct engine_kernel *k = e->kernel;
	bool forward = up(dest, src) >= len;
	size_t head = to_line(dest);
	size_t body = nt_part(len - head);
	size_t tail = len - head - body;

	if (forward) {
		k->move_nt_part(dest, src, head);
		if (body)
			k->move_nt_forward(dest + head, src + head, body);
	}
	k->move_nt_part(dest + head + body, src + head + body, tail);
	if (!forward) {
		if (body)
			k->move_nt_backward(dest + head, src + head, body);
		k->move_nt_part(dest, src, head);
	}
}

static NOINLINE void set_nt_words(const struct engine *e, char *dest, int c, size_t len)
{
	size_t head = to_line(dest);
	size_t body = nt_part(len - head);

	e->kernel->set_nt_part(dest, c, head);
	if (body)
		e->kernel->set_nt(dest + head, c, body);
	e->kernel->set_nt_part(dest + head + body, c, len - head - body);
}

static void drain(const struct engine *e, unsigned flags)
{
	if (!(flags & (PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NOFLUSH)))
		e->fence();
}

static NOINLINE void *move_through_cache(const struct engine *e, char *dest,
					 const char *src, size_t len, unsigned flags)
{
	if (!e->flushing || len <= PIECE) {
		move_cached(e, dest, src, len);
		copy_finish(e, dest, len, flags);
		return dest;
	}
	if (up(dest, src) >= len)
		move_in_pieces_forward(e, dest, src, len);
	else
		move_in_pieces_backward(e, dest, src, len);
	drain(e, flags);
	return dest;
}

static bool overlap(const char *dest, const char *src, size_t len)
{
	return up(dest, src) < len || up(src, dest) < len;
}

/* Whether a move is cached although it could be non-temporal: see ENGINE_NT_NEAR. */
static bool is_near(const struct engine *e, const char *dest, const char *src, size_t len,
		    unsigned flags)
{
	const struct engine_near *near = &e->kernel->near;
	size_t longest = up(dest, src) < len ? near->backward : near->forward;

	return overlap(dest, src, min(len, ENGINE_NT_NEAR)) && len <= longest &&
	       e->keeps_lines && (near->fenced || flags & PMEM_F_MEM_NODRAIN);
}

/* Long copies, and whatever is rare. */
static NOINLINE void *move_nt_long(const struct engine *e, char *dest, const char *src,
				   size_t len, unsigned flags)
{
	if (is_near(e, dest, src, len, flags))
		return move_through_cache(e, dest, src, len, flags);
	if (has_nt_parts(e, dest, len, flags))
		move_nt_words(e, dest, src, len);
	else if (up(dest, src) >= len)
		move_nt_forward(e, dest, src, len);
	else
		move_nt_backward(e, dest, src, len);
	drain(e, flags);
	return dest;
}

/*
 * Most calls are short and without overlap, so they have a path of their own. The parts of lines go
 * first: less is to be kept over the call of the kernel then.
 */
void *copy_move_nt(const struct engine *e, char *dest, const char *src, size_t len,
		   unsigned flags)
{
	size_t head = to_line(dest);
	size_t body = nt_part(len - head);
	size_t tail = len - head - body;

	if (is_long(e, len) || overlap(dest, src, len) ||
	    has_nt_parts(e, dest, len, flags))
		return move_nt_long(e, dest, src, len, flags);
	if (head) {
		small_move(dest, src, head);
		flush_part(e, dest, head);
	}
	if (tail) {
		small_move(dest + head + body, src + head + body, tail);
		flush_part(e, dest + head + body, tail);
	}
	if (body)
		e->kernel->move_nt_forward(dest + head, src + head, body);
	drain(e, flags);
	return dest;
}

void *copy_move_long(const struct engine *e, char *dest, const char *src, size_t len,
		     unsigned flags)
{
	if (is_nt_unflushed(e, flags))
		return copy_move_nt(e, dest, src, len, flags);
	return move_through_cache(e, dest, src, len, flags);
}

static void set_cached(const struct engine *e, char *dest, int c, size_t len)
{
	if (len <= SMALL_MAX)
		small_set(dest, c, len);
	else
		e->kernel->set_flushed(dest, c, len);
}

static void set_flushed(const struct engine *e, char *dest, int c, size_t len)
{
	set_cached(e, dest, c, len);
	copy_flush(e, dest, len);
}

static NOINLINE void set_bursts(const struct engine *e, char *dest, int c, size_t len)
{
	while (len) {
		size_t n = min(len, e->nt_burst);

		e->kernel->set_nt(dest, c, n);
		if (n == e->nt_burst)
			e->fence();
		dest += n;
		len -= n;
	}
}

/* len >= ENGINE_LINE. is_long: see NT_LONG and nt_burst. */
static ALWAYS_INLINE void set_nt(const struct engine *e, char *dest, int c, size_t len,
				 bool is_long)
{
	size_t head = to_line(dest);
	size_t body = nt_part(len - head);
	size_t tail = len - head - body;

	if (head) {
		small_set(dest, c, head);
		flush_part(e, dest, head);
	}
	if (is_long && has_nt_tail(e, len, tail)) {
		e->kernel->set_nt_part(dest + head + body, c, tail);
	} else if (tail) {
		small_set(dest + head + body, c, tail);
		flush_part(e, dest + head + body, tail);
	}
	if (is_long && e->nt_burst != SIZE_MAX)
		set_bursts(e, dest + head, c, body);
	else if (body)
		e->kernel->set_nt(dest + head, c, body);
}

static NOINLINE void set_in_pieces(const struct engine *e, char *dest, int c, size_t len)
{
	size_t n = min(len, to_line(dest) + PIECE);

	while (len) {
		set_flushed(e, dest, c, n);
		dest += n;
		len -= n;
		n = min(len, PIECE);
	}
}

static NOINLINE void *set_nt_long(const struct engine *e, char *dest, int c, size_t len,
				  unsigned flags)
{
	if (has_nt_parts(e, dest, len, flags))
		set_nt_words(e, dest, c, len);
	else
		set_nt(e, dest, c, len, true);
	drain(e, flags);
	return dest;
}

void *copy_set_nt(const struct engine *e, char *dest, int c, size_t len, unsigned flags)
{
	if (is_long(e, len) || has_nt_parts(e, dest, len, flags))
		return set_nt_long(e, dest, c, len, flags);
	set_nt(e, dest, c, len, false);
	drain(e, flags);
	return dest;
}

void *copy_set_long(const struct engine *e, char *dest, int c, size_t len, unsigned flags)
{
	if (is_nt_unflushed(e, flags))
		return copy_set_nt(e, dest, c, len, flags);
	if (flags & PMEM_F_MEM_NOFLUSH || !e->flushing || len <= PIECE) {
		set_cached(e, dest, c, len);
		copy_finish(e, dest, len, flags);
		return dest;
	}
	set_in_pieces(e, dest, c, len);
	drain(e, flags);
	return dest;
}
