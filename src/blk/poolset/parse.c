/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pool set files:
 *
 *	set	= "PMEMPOOLSET" EOL *line
 *	line	= [ "OPTION" *WS name *( WS name ) ]	names: SINGLEHDR, NOHDRS
 *		/ "REPLICA"				a local replica: its parts follow
 *		/ "REPLICA" WS host WS relative-path	a remote one: no parts follow
 *		/ [WS] size WS absolute-path [WS]	a part of the pool or the replica
 *
 * '#' starts a comment that ends with the line. Empty lines are ignored. A line of blanks is an
 * error, and so is an indented line that holds only a comment. OPTION and REPLICA are recognised
 * by the first letters of a line. A size is a decimal number directly followed by a unit, or AUTO
 * for the size of a device DAX.
 *
 * Replicas are parsed completely, so that errors in them are found. After that they are only
 * counted, because pools of blocks cannot have replicas.
 */
#include "poolset/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "errormsg.h"

struct parser {
	struct poolset *set;
	unsigned line;	  /* 1-based */
	unsigned replica; /* the one to which the next parts belong, from 0 */
	unsigned nparts;  /* the parts of this replica so far */
	bool remote;	  /* the replica is a remote one */
};

struct token {
	const char *start;
	size_t len;
};

#define WS " \t"

static int MUST_CHECK PRINTF_LIKE(2, 3)
    fail_at(const struct parser *p, const char *fmt, ...)
{
	char reason[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	return errormsg_fail(EINVAL, "%s:%u: %s", p->set->path, p->line, reason);
}

/* The precision for printing a token, which may have any length. */
static int shown(struct token t)
{
	return t.len < 256 ? (int)t.len : 256;
}

/* The next token of [*p, end), of length 0 at the end. */
static struct token next_token(const char **p, const char *end)
{
	struct token t;

	while (*p < end && strchr(WS, **p))
		++*p;
	t.start = *p;
	while (*p < end && !strchr(WS, **p))
		++*p;
	t.len = (size_t)(*p - t.start);
	return t;
}

static bool token_is(struct token t, const char *word)
{
	return t.len == strlen(word) && memcmp(t.start, word, t.len) == 0;
}

static const struct unit {
	const char *name;
	uint64_t factor;
} units[] = {
    {"", 1},
    {"B", 1},
    {"K", 1ull << 10},
    {"KiB", 1ull << 10},
    {"kB", 1000ull},
    {"M", 1ull << 20},
    {"MiB", 1ull << 20},
    {"MB", 1000000ull},
    {"G", 1ull << 30},
    {"GiB", 1ull << 30},
    {"GB", 1000000000ull},
    {"T", 1ull << 40},
    {"TiB", 1ull << 40},
    {"TB", 1000000000000ull},
    {"P", 1ull << 50},
    {"PiB", 1ull << 50},
    {"PB", 1000000000000000ull},
};

/*
 * A negative number counts modulo 2^64, as in strtoull(). The result is a size that no file can
 * have.
 */
static int parse_size(const struct parser *p, struct token t, uint64_t *size)
{
	const char *end = t.start + t.len;
	const char *c = t.start;
	bool negative = c < end && *c == '-';
	uint64_t value = 0;
	struct token suffix;

	if (token_is(t, "AUTO")) {
		*size = 0;
		return 0;
	}
	if (c < end && (*c == '-' || *c == '+'))
		c++;
	if (c == end || !isdigit((unsigned char)*c))
		return fail_at(p, "'%.*s' is not a size", shown(t), t.start);
	for (; c < end && isdigit((unsigned char)*c); c++)
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
			return fail_at(p, "size '%.*s' is out of range", shown(t),
				       t.start);
	if (negative)
		value = 0 - value;
	suffix = (struct token){c, (size_t)(end - c)};
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!token_is(suffix, units[i].name))
			continue;
		if (__builtin_mul_overflow(value, units[i].factor, size))
			return fail_at(p, "size '%.*s' is out of range", shown(t),
				       t.start);
		if (*size == 0)
			return fail_at(p, "a part cannot have size 0");
		return 0;
	}
	return fail_at(p, "size '%.*s' ends with an unknown unit", shown(t), t.start);
}

static int parse_part(struct parser *p, const char *s, const char *end)
{
	struct token size = next_token(&s, end);
	struct token path = next_token(&s, end);
	struct token rest = next_token(&s, end);
	uint64_t bytes = 0;
	char *copy;
	int ret;

	if (size.len == 0)
		return fail_at(p, "a line of blanks (only an empty one may stand here)");
	if (path.len == 0)
		return fail_at(p, "expected a size and a path, found only '%.*s'",
			       shown(size), size.start);
	if (rest.len != 0)
		return fail_at(p, "'%.*s' behind size and path", shown(rest), rest.start);
	ret = parse_size(p, size, &bytes);
	if (ret < 0)
		return ret;
	if (*path.start != '/')
		return fail_at(p, "path '%.*s' is not absolute", shown(path), path.start);
	if (p->remote)
		return fail_at(p, "a part after a remote replica");
	p->nparts++;
	if (p->replica > 0)
		return 0;
	copy = alloc_zeroed(path.len + 1);
	if (!copy)
		return errormsg_fail(ENOMEM, "out of memory for %s", p->set->path);
	memcpy(copy, path.start, path.len);
	return poolset_add_part(p->set, copy, bytes, p->line);
}

static int parse_option(struct parser *p, const char *s, const char *end)
{
	struct token t = next_token(&s, end);

	if (t.len == 0)
		return fail_at(p, "OPTION without a name");
	for (; t.len != 0; t = next_token(&s, end)) {
		if (token_is(t, "SINGLEHDR"))
			p->set->singlehdr = true;
		else if (token_is(t, "NOHDRS"))
			p->set->nohdrs = true;
		else
			return fail_at(p, "unknown option '%.*s'", shown(t), t.start);
	}
	return 0;
}

/* Called before the next replica and at the end of the file. */
static int finish_replica(const struct parser *p)
{
	if (p->nparts == 0 && !p->remote)
		return fail_at(p, p->replica == 0 ? "the set has no parts"
						  : "the replica has no parts");
	return 0;
}

static int parse_replica(struct parser *p, const char *s, const char *end)
{
	struct token host;
	struct token path;
	int ret;

	if (s < end && !strchr(WS, *s))
		return fail_at(p, "unknown word 'REPLICA%.*s'",
			       shown((struct token){s, (size_t)(end - s)}), s);
	ret = finish_replica(p);
	if (ret < 0)
		return ret;
	p->replica++;
	p->nparts = 0;
	p->set->nreplica++;
	p->remote = s < end;
	if (!p->remote)
		return 0;
	host = next_token(&s, end);
	path = next_token(&s, end);
	if (host.len == 0 || path.len == 0)
		return fail_at(p, "a remote replica needs a host and a path");
	if (next_token(&s, end).len != 0)
		return fail_at(p, "a remote replica has a host and a path, no more");
	if (*path.start == '/')
		return fail_at(p, "path '%.*s' of a remote replica is not relative",
			       shown(path), path.start);
	return 0;
}

static int parse_line(struct parser *p, const char *s, size_t len)
{
	const char *comment = memchr(s, '#', len);
	const size_t option = strlen("OPTION");
	const size_t replica = strlen("REPLICA");
	const char *end;

	if (comment)
		len = (size_t)(comment - s);
	end = s + len;
	if (len == 0)
		return 0;
	if (strnlen(s, len) < len)
		return fail_at(p, "a NUL character");
	if (len >= option && memcmp(s, "OPTION", option) == 0)
		return parse_option(p, s + option, end);
	if (len >= replica && memcmp(s, "REPLICA", replica) == 0)
		return parse_replica(p, s + replica, end);
	return parse_part(p, s, end);
}

static int parse_first_line(const struct parser *p, const char *s, size_t len, bool ends)
{
	if (ends && len == POOLSET_SIGNATURE_LEN &&
	    memcmp(s, POOLSET_SIGNATURE, len) == 0)
		return 0;
	return fail_at(p, "the first line must be " POOLSET_SIGNATURE
			  ", with nothing before or behind it");
}

static int parse(struct parser *p, const char *text, size_t len)
{
	size_t at = 0;

	while (at < len) {
		const char *line = text + at;
		const char *eol = memchr(line, '\n', len - at);
		size_t n = eol ? (size_t)(eol - line) : len - at;
		int ret;

		at += n + (eol ? 1 : 0);
		if (n > 0 && line[n - 1] == '\r')
			n--;
		p->line++;
		ret = p->line == 1 ? parse_first_line(p, line, n, eol != NULL)
				   : parse_line(p, line, n);
		if (ret < 0)
			return ret;
	}
	return finish_replica(p);
}

int poolset_parse(const char *path, const char *text, size_t len, struct poolset **out)
{
	struct poolset *set = alloc_zeroed(sizeof(*set));
	struct parser p = {.set = set};
	int ret;

	if (set)
		set->path = alloc_strdup(path);
	if (!set || !set->path) {
		poolset_free(set);
		return errormsg_fail(ENOMEM, "out of memory for %s", path);
	}
	set->is_file = true;
	set->nreplica = 1;
	ret = parse(&p, text, len);
	if (ret < 0) {
		poolset_free(set);
		return ret;
	}
	*out = set;
	return 0;
}
