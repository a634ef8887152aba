/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long cached copies are flushed piece by piece, while the lines are still in the nearest
 * cache. Pieces end at line boundaries, so that no line is flushed twice. If source and
 * destination overlap, the pieces go in the direction in which no source byte is
 * overwritten before it was read.
 */
#include "copy.h"

/*
 * Bytes that are flushed together, a multiple of the line. Measured: with short pieces
 * copies keep source and destination in the first-level cache; long sets run best in long
 * pieces.
 */
#define PIECE ((size_t)512)
#define LONG_SET ((size_t)32 << 10)
#define LONG_SET_PIECE ((size_t)4096)

/* Where the entry point has not decided: see copy_is_nt(). */
static inline bool is_nt(const struct engine *e, size_t len, unsigned flags)
{
	if (!e->kernel->set_nt || (flags & PMEM_F_MEM_NOFLUSH))
		return false;
	if (!e->flushing)
		return flags & PMEM_F_MEM_NONTEMPORAL;
	return !(flags & (PMEM_F_MEM_TEMPORAL | PMEM_F_MEM_WB)) && len >= e->nt_threshold;
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
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

static NOINLINE void move_in_pieces_backward(const struct engine *e, char *dest,
					     const char *src, size_t len)
{
	size_t n = ((uintptr_t)dest + len) & (ENGINE_LINE - 1);

	for (n = min(len, n + PIECE); len; n = min(len, PIECE)) {
		len -= n;
		move_flushed(e, dest + len, src + len, n);
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
		copy_flush(e, dest, head);
	}
	if (unlikely(e->nt_burst != SIZE_MAX))
		move_bursts_forward(e, dest + head, src + head, body);
	else if (body)
		e->kernel->move_nt_forward(dest + head, src + head, body);
	if (tail) {
		small_move(dest + head + body, src + head + body, tail);
		copy_flush(e, dest + head + body, tail);
	}
}

static NOINLINE void move_nt_backward(const struct engine *e, char *dest, const char *src,
				      size_t len)
{
	size_t head = to_line(dest);
	size_t body = nt_part(len - head);
	size_t tail = len - head - body;

	if (tail) {
		small_move(dest + head + body, src + head + body, tail);
		copy_flush(e, dest + head + body, tail);
	}
	if (unlikely(e->nt_burst != SIZE_MAX))
		move_bursts_backward(e, dest + head, src + head, body);
	else if (body)
		e->kernel->move_nt_backward(dest + head, src + head, body);
	if (head) {
		small_move(dest, src, head);
		copy_flush(e, dest, head);
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
	bool forward = (uintptr_t)dest - (uintptr_t)src >= len;
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

void *copy_move_nt(const struct engine *e, char *dest, const char *src, size_t len,
		   unsigned flags)
{
	if (has_nt_parts(e, dest, len, flags))
		move_nt_words(e, dest, src, len);
	else if ((uintptr_t)dest - (uintptr_t)src >= len)
		move_nt_forward(e, dest, src, len);
	else
		move_nt_backward(e, dest, src, len);
	drain(e, flags);
	return dest;
}

void *copy_move_long(const struct engine *e, char *dest, const char *src, size_t len,
		     unsigned flags)
{
	bool forward = (uintptr_t)dest - (uintptr_t)src >= len;

	if (is_nt(e, len, flags))
		return copy_move_nt(e, dest, src, len, flags);
	if (!e->flushing || len <= PIECE) {
		move_cached(e, dest, src, len);
		copy_finish(e, dest, len, flags);
		return dest;
	}
	if (forward)
		move_in_pieces_forward(e, dest, src, len);
	else
		move_in_pieces_backward(e, dest, src, len);
	drain(e, flags);
	return dest;
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

/* len >= ENGINE_LINE. */
static void set_nt(const struct engine *e, char *dest, int c, size_t len)
{
	size_t head = to_line(dest);
	size_t body = nt_part(len - head);
	size_t tail = len - head - body;

	if (head) {
		small_set(dest, c, head);
		copy_flush(e, dest, head);
	}
	if (unlikely(e->nt_burst != SIZE_MAX))
		set_bursts(e, dest + head, c, body);
	else if (body)
		e->kernel->set_nt(dest + head, c, body);
	if (tail) {
		small_set(dest + head + body, c, tail);
		copy_flush(e, dest + head + body, tail);
	}
}

static NOINLINE void set_in_pieces(const struct engine *e, char *dest, int c, size_t len)
{
	const size_t piece = len >= LONG_SET ? LONG_SET_PIECE : PIECE;
	size_t n = min(len, to_line(dest) + piece);

	while (len) {
		set_flushed(e, dest, c, n);
		dest += n;
		len -= n;
		n = min(len, piece);
	}
}

void *copy_set_nt(const struct engine *e, char *dest, int c, size_t len, unsigned flags)
{
	if (has_nt_parts(e, dest, len, flags))
		set_nt_words(e, dest, c, len);
	else
		set_nt(e, dest, c, len);
	drain(e, flags);
	return dest;
}

void *copy_set_long(const struct engine *e, char *dest, int c, size_t len, unsigned flags)
{
	if (is_nt(e, len, flags))
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
