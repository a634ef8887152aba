/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long cached copies are flushed piece by piece while the lines are still near; pieces end
 * at line boundaries, so that no line is flushed twice. Every step goes in the direction
 * that overlap asks for: source bytes are read before a step stores over them.
 */
#include "copy.h"

/* Flushed in one go; a multiple of the line. */
#define PIECE ((size_t)2048)

static bool goes_past_caches(const struct engine *e, size_t len, unsigned flags)
{
	if (!e->kernel->set_nt || (flags & PMEM_F_MEM_NOFLUSH))
		return false;
	if (!e->flushing)
		return flags & PMEM_F_MEM_NONTEMPORAL;
	if (flags & (PMEM_F_MEM_NONTEMPORAL | PMEM_F_MEM_WC))
		return true;
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
		e->kernel->move(dest, src, len);
}

static void move_flushed(const struct engine *e, char *dest, const char *src, size_t len)
{
	move_cached(e, dest, src, len);
	e->flush(dest, len);
}

static void move_in_pieces_forward(const struct engine *e, char *dest, const char *src,
				   size_t len)
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

static void move_in_pieces_backward(const struct engine *e, char *dest, const char *src,
				    size_t len)
{
	size_t n = ((uintptr_t)dest + len) & (ENGINE_LINE - 1);

	for (n = min(len, n + PIECE); len; n = min(len, PIECE)) {
		len -= n;
		move_flushed(e, dest + len, src + len, n);
	}
}

static void move_nt_forward(const struct engine *e, char *dest, const char *src,
			    size_t len)
{
	size_t n = min(len, to_line(dest));

	if (n) {
		move_flushed(e, dest, src, n);
		dest += n;
		src += n;
		len -= n;
	}
	for (;;) {
		n = min(len & ~(ENGINE_LINE - 1), e->nt_burst);
		if (!n)
			break;
		e->kernel->move_nt_forward(dest, src, n);
		dest += n;
		src += n;
		len -= n;
		if (n == e->nt_burst)
			e->fence();
	}
	if (len)
		move_flushed(e, dest, src, len);
}

static void move_nt_backward(const struct engine *e, char *dest, const char *src,
			     size_t len)
{
	size_t head = min(len, to_line(dest));
	size_t n = (len - head) & (ENGINE_LINE - 1);

	if (n) {
		len -= n;
		move_flushed(e, dest + len, src + len, n);
	}
	while (len != head) {
		n = min(len - head, e->nt_burst);
		len -= n;
		e->kernel->move_nt_backward(dest + len, src + len, n);
		if (n == e->nt_burst)
			e->fence();
	}
	if (head)
		move_flushed(e, dest, src, head);
}

void copy_move_long(const struct engine *e, char *dest, const char *src, size_t len,
		    unsigned flags)
{
	bool forward = (uintptr_t)dest - (uintptr_t)src >= len;

	if (goes_past_caches(e, len, flags)) {
		if (forward)
			move_nt_forward(e, dest, src, len);
		else
			move_nt_backward(e, dest, src, len);
	} else if (flags & PMEM_F_MEM_NOFLUSH || !e->flushing) {
		move_cached(e, dest, src, len);
	} else if (forward) {
		move_in_pieces_forward(e, dest, src, len);
	} else {
		move_in_pieces_backward(e, dest, src, len);
	}
}

static void set_cached(const struct engine *e, char *dest, int c, size_t len)
{
	if (len <= SMALL_MAX)
		small_set(dest, c, len);
	else
		e->kernel->set(dest, c, len);
}

static void set_flushed(const struct engine *e, char *dest, int c, size_t len)
{
	set_cached(e, dest, c, len);
	e->flush(dest, len);
}

static void set_nt(const struct engine *e, char *dest, int c, size_t len)
{
	size_t n = min(len, to_line(dest));

	if (n) {
		set_flushed(e, dest, c, n);
		dest += n;
		len -= n;
	}
	for (;;) {
		n = min(len & ~(ENGINE_LINE - 1), e->nt_burst);
		if (!n)
			break;
		e->kernel->set_nt(dest, c, n);
		dest += n;
		len -= n;
		if (n == e->nt_burst)
			e->fence();
	}
	if (len)
		set_flushed(e, dest, c, len);
}

void copy_set_long(const struct engine *e, char *dest, int c, size_t len, unsigned flags)
{
	size_t n = min(len, to_line(dest) + PIECE);

	if (goes_past_caches(e, len, flags)) {
		set_nt(e, dest, c, len);
		return;
	}
	if (flags & PMEM_F_MEM_NOFLUSH || !e->flushing) {
		set_cached(e, dest, c, len);
		return;
	}
	while (len) {
		set_flushed(e, dest, c, n);
		dest += n;
		len -= n;
		n = min(len, PIECE);
	}
}
