/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parser accepts only the form that repair/backup.c writes. Numbers are printed again and
 * compared; everything else is checked character by character. Only the text of a note is free.
 *
 * Memory and time are bounded: lines and ranges have a maximum length, and ranges ascend, so that
 * all of them together are no longer than the pool. The same holds for areas.
 */
#include "repair/undo_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "btt/format.h"
#include "errormsg.h"
#include "repair/backup.h"

#define MAX_RANGE POOL_PAGE
#define MAX_LINE (32 + (PLAN_NPHASE + 1) * (2 * MAX_RANGE + 8))

struct reader {
	struct undo *undo;
	FILE *f;
	char *line;	/* with a NUL in place of its newline */
	size_t len;	/* without newline and NUL */
	uint64_t sum;	/* of all lines before this one */
	uint64_t next;	/* ranges have to begin here or above */
	uint64_t limit; /* and to end here or below */
	uint64_t next_area;
};

static int MUST_CHECK wrong(const struct reader *r, const char *what)
{
	return errormsg_fail(EINVAL, "%s: %s; nothing is put back", r->undo->file, what);
}

/*
 * Reads the next line. At the end of the file returns 0, too: the line is empty, and r->len is
 * SIZE_MAX.
 */
static int MUST_CHECK read_line(struct reader *r)
{
	size_t n = 0;
	int c;

	if (r->len != SIZE_MAX && r->line[0] != '\0') {
		r->sum = backup_sum(r->sum, r->line, r->len);
		r->sum = backup_sum(r->sum, "\n", 1);
	}
	while ((c = getc_unlocked(r->f)) != EOF && c != '\n') {
		if (n + 1 == MAX_LINE || c == '\0')
			return wrong(r, "the backup is damaged: a line that no repair "
					"writes");
		r->line[n++] = (char)c;
	}
	r->line[n] = '\0';
	if (ferror(r->f))
		return errormsg_fail_sys(errno, "cannot read %s", r->undo->file);
	if (c == EOF && n > 0)
		return wrong(r, "the backup is not complete");
	r->len = c == EOF ? SIZE_MAX : n;
	return 0;
}

/* Reads a decimal number without leading zeros at *p, and moves *p behind it. */
static bool read_number(const char **p, uint64_t *value)
{
	char *end;
	char again[24];
	int n;

	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*value = strtoull(*p, &end, 10);
	n = snprintf(again, sizeof(again), "%" PRIu64, *value);
	if (errno || n != end - *p || memcmp(again, *p, (size_t)n) != 0)
		return false;
	*p = end;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number of bytes in the hexadecimal word at p; 0 if there is none. */
static size_t measure_hex(const char *p)
{
	size_t n = 0;

	while (digit(p[n]) >= 0)
		n++;
	return n % 2 ? 0 : n / 2;
}

/* Reads len bytes from the hexadecimal word at *p, and moves *p behind it. */
static bool read_hex(const char **p, unsigned char *bytes, size_t len)
{
	if (measure_hex(*p) != len)
		return false;
	for (size_t i = 0; i < len; i++, *p += 2)
		bytes[i] = (unsigned char)(digit((*p)[0]) << 4 | digit((*p)[1]));
	return true;
}

static bool read_char(const char **p, char c)
{
	if (**p != c)
		return false;
	++*p;
	return true;
}

static bool read_word(const char **p, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*p, word, n) != 0)
		return false;
	*p += n;
	return true;
}

static int MUST_CHECK read_head(struct reader *r)
{
	struct undo *u = r->undo;
	const char *p;
	bool good;
	int ret = read_line(r);

	if (ret < 0)
		return ret;
	if (strncmp(r->line, BACKUP_HEADLINE, sizeof(BACKUP_HEADLINE) - 2) == 0)
		u->version = 2;
	else if (strncmp(r->line, BACKUP_HEADLINE_3, sizeof(BACKUP_HEADLINE_3) - 2) == 0)
		u->version = 3;
	else if (strncmp(r->line, BACKUP_HEADLINE_1, sizeof(BACKUP_HEADLINE_1) - 2) == 0)
		u->version = 1;
	if (u->version == 0 || r->len != sizeof(BACKUP_HEADLINE) - 2)
		return wrong(r, "not a backup of pmemblk repair or pmemblk grow");
	ret = read_line(r);
	if (ret < 0)
		return ret;
	p = r->line;
	good = read_word(&p, "pool ") && read_hex(&p, u->uuid[0], UUID_SIZE);
	memcpy(u->uuid[1], u->uuid[0], UUID_SIZE);
	if (good && u->version > 1)
		good = read_char(&p, ' ') && read_hex(&p, u->uuid[1], UUID_SIZE);
	if (!good || *p)
		return wrong(r, "the backup is damaged: it names no pool");
	ret = read_line(r);
	if (ret < 0)
		return ret;
	p = r->line;
	good = read_word(&p, "length ") && read_number(&p, &u->length[0]);
	u->length[1] = u->length[0];
	if (good && u->version > 1)
		good = read_char(&p, ' ') && read_number(&p, &u->length[1]);
	if (!good || *p)
		return wrong(r, "the backup is damaged: it names no length");
	return 0;
}

static int MUST_CHECK make_room(struct undo *u, size_t len)
{
	size_t n = u->nrange;

	if ((n & (n - 1)) == 0) {
		struct undo_range *grown =
		    reallocarray(u->range, n ? 2 * n : 1, sizeof(*grown));

		if (!grown)
			return errormsg_fail(ENOMEM, "out of memory for the backup");
		u->range = grown;
	}
	if (u->ndata + len > u->room) {
		size_t room = 2 * u->room + len;
		unsigned char *grown = realloc(u->data, room);

		if (!grown)
			return errormsg_fail(ENOMEM, "out of memory for the backup");
		u->data = grown;
		u->room = room;
	}
	return 0;
}

/*
 * Version 1 does not tell the phases. An undo goes backwards, so what may make the pool openable
 * gets the last one.
 */
static unsigned char guess_phase(const struct undo_range *range)
{
	bool is_large = range->len >= BTT_INFO_SIZE || range->off < POOL_DATA_OFF;

	return is_large ? PLAN_HEADER : PLAN_MAP;
}

/* Reads one of the values behind the old one. *p is at the blank before it. */
static bool read_value(struct reader *r, struct undo_range *range, const char **p)
{
	struct undo *u = r->undo;
	uint64_t phase = guess_phase(range);
	unsigned char last = range->phase[range->nvalue - 1];

	if (!read_char(p, ' ') || range->nvalue > PLAN_NPHASE)
		return false;
	if (u->version > 1 && (!read_number(p, &phase) || !read_char(p, ':')))
		return false;
	if (phase >= PLAN_NPHASE || (range->nvalue > 1 && phase <= last))
		return false;
	if (!read_hex(p, u->data + u->ndata, range->len))
		return false;
	u->ndata += range->len;
	range->phase[range->nvalue++] = (unsigned char)phase;
	return true;
}

static int MUST_CHECK read_range(struct reader *r)
{
	struct undo *u = r->undo;
	struct undo_range range = {.nvalue = 1, .data = u->ndata};
	const char *p = r->line;
	size_t len;
	bool good = read_number(&p, &range.off) && read_char(&p, ' ');
	int ret;

	len = good ? measure_hex(p) : 0;
	if (len == 0 || len > MAX_RANGE || len % 4 || range.off % 4 ||
	    range.off < r->next || len > r->limit || range.off > r->limit - len)
		return wrong(r, "the backup is damaged: a range that no repair changes");
	range.len = (uint32_t)len;
	r->next = range.off + len;
	ret = make_room(u, (PLAN_NPHASE + 1) * len);
	if (ret < 0)
		return ret;
	good = read_hex(&p, u->data + u->ndata, len);
	u->ndata += len;
	while (good && *p)
		good = read_value(r, &range, &p);
	if (!good || range.nvalue < 2 || (u->version == 1 && range.nvalue != 2))
		return wrong(r, "the backup is damaged: a line that no repair writes");
	u->range[u->nrange++] = range;
	return 0;
}

/* Reads the line of an area. It has to lie in a pool of the new length. */
static int MUST_CHECK read_area(struct reader *r)
{
	struct undo *u = r->undo;
	struct plan_area a = {0};
	const char *p = r->line;
	unsigned char sum[8];
	size_t n = u->narea;
	bool good = read_word(&p, "area ") && read_number(&p, &a.off) &&
		    read_char(&p, ' ') && read_number(&p, &a.len) && read_char(&p, ' ') &&
		    read_hex(&p, sum, sizeof(sum)) && !*p;

	if (!good || a.off % POOL_PAGE || a.len % POOL_PAGE || a.len == 0 ||
	    a.off < r->next_area || a.len > u->length[1] || a.off > u->length[1] - a.len)
		return wrong(r, "the backup is damaged: an area that no pool has");
	r->next_area = a.off + a.len;
	for (size_t i = 0; i < sizeof(sum); i++)
		a.sum = a.sum << 8 | sum[i];
	if ((n & (n - 1)) == 0) {
		struct plan_area *grown =
		    reallocarray(u->area, n ? 2 * n : 1, sizeof(*grown));

		if (!grown)
			return errormsg_fail(ENOMEM, "out of memory for the backup");
		u->area = grown;
	}
	u->area[u->narea++] = a;
	return 0;
}

static int MUST_CHECK read_end(struct reader *r)
{
	char want[64];
	int ret;

	if (r->undo->version == 1)
		snprintf(want, sizeof(want), "end %zu", r->undo->nrange);
	else
		snprintf(want, sizeof(want), "end %zu %016" PRIx64, r->undo->nrange,
			 r->sum);
	if (strcmp(r->line, want) != 0)
		return wrong(r, "the backup is damaged: its checksum is wrong");
	ret = read_line(r);
	if (ret == 0 && r->len != SIZE_MAX)
		ret = wrong(r, "the backup is damaged: something stands behind its end");
	return ret;
}

static int MUST_CHECK read_all(struct reader *r)
{
	int ret = read_head(r);

	while (ret == 0) {
		ret = read_line(r);
		if (ret < 0)
			break;
		if (r->len == SIZE_MAX)
			return wrong(r, "the backup is not complete");
		if (strncmp(r->line, "end ", 4) == 0)
			return read_end(r);
		if (r->undo->version == 3 && strncmp(r->line, "area ", 5) == 0)
			ret = read_area(r);
		else if (r->undo->version == 1 || strncmp(r->line, "note ", 5) != 0)
			ret = read_range(r);
	}
	return ret;
}

/* Opens a regular file. The open of a fifo or a device does not wait, and it is refused then. */
static int MUST_CHECK open_regular(const char *file, FILE **f)
{
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errormsg_fail_sys(errno, "cannot open %s", file);
	if (fstat(fd, &st) != 0) {
		int err = errno;

		close(fd);
		return errormsg_fail_sys(err, "cannot stat %s", file);
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return errormsg_fail(EINVAL, "%s is not a regular file", file);
	}
	*f = fdopen(fd, "r");
	if (*f)
		return 0;
	close(fd);
	return errormsg_fail(ENOMEM, "out of memory for %s", file);
}

int undo_read(const char *file, uint64_t limit, struct undo *undo)
{
	struct reader r = {.undo = undo, .sum = BACKUP_SUM_START, .limit = limit};
	int ret;

	*undo = (struct undo){.file = file};
	r.line = calloc(1, MAX_LINE);
	if (!r.line)
		return errormsg_fail(ENOMEM, "out of memory for %s", file);
	ret = open_regular(file, &r.f);
	if (ret == 0) {
		ret = read_all(&r);
		fclose(r.f);
	}
	free(r.line);
	return ret;
}
