/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "btt/nonzero.h"
#include "errormsg.h"
#include "file.h"
#include "image/folder.h"
#include "poolset/io.h"

#define MAX_NAMES 1000

static int MUST_CHECK open_new(const struct image *image, const char *file, char **name,
			       int *fd)
{
	for (unsigned i = 0; i < MAX_NAMES; i++) {
		int n = file ? asprintf(name, "%s", file)
			: i  ? asprintf(name, "%s.undo.%u", image->path, i)
			     : asprintf(name, "%s.undo", image->path);

		if (n < 0) {
			*name = NULL;
			return errormsg_fail(ENOMEM, "out of memory");
		}
		*fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (*fd >= 0)
			return 0;
		if (file || errno != EEXIST)
			return errormsg_fail_sys(errno, "cannot make the backup %s",
						 *name);
		free(*name);
		*name = NULL;
	}
	return errormsg_fail(EEXIST, "there are %u backups of %s already", MAX_NAMES,
			     image->path);
}

uint64_t backup_sum(uint64_t sum, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
	return sum;
}

uint64_t backup_sum_page(uint64_t sum, uint64_t off, const void *page)
{
	const unsigned char *p = page;
	le64 at = cpu_to_le64(off);

	if (p[0] == 0 && memcmp(p, p + 1, POOL_PAGE - 1) == 0)
		return sum;
	return backup_sum(backup_sum(sum, &at, sizeof(at)), page, POOL_PAGE);
}

uint64_t backup_sum_area(struct storage *s, uint64_t off, uint64_t end)
{
	uint64_t sum = BACKUP_SUM_START;

	for (; off < end; off += POOL_PAGE) {
		off = btt_nonzero_find(s, off, end);
		off -= off % POOL_PAGE;
		if (off < end)
			sum = backup_sum_page(sum, off, storage_at(s, off));
	}
	return sum;
}

/* A file and the checksum of what was written to it. Errors stay with the stream. */
struct sink {
	FILE *f;
	uint64_t sum;
};

static void put(struct sink *s, const char *text, size_t len)
{
	s->sum = backup_sum(s->sum, text, len);
	fwrite(text, 1, len, s->f);
}

PRINTF_LIKE(2, 3) static void print(struct sink *s, const char *fmt, ...)
{
	char text[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(s, text, (size_t)n);
}

static void print_hex(struct sink *s, const unsigned char *bytes, size_t len)
{
	static const char digit[] = "0123456789abcdef";
	char text[512];
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		text[n++] = digit[bytes[i] >> 4];
		text[n++] = digit[bytes[i] & 15];
		if (n == sizeof(text) || i + 1 == len) {
			put(s, text, n);
			n = 0;
		}
	}
}

static int MUST_CHECK print_range(struct sink *s, const struct plan *plan,
				  const struct plan_ranges *ranges, size_t i)
{
	const struct plan_range *r = &ranges->range[i];
	unsigned char *bytes = calloc(1, r->len);

	if (!bytes)
		return errormsg_fail(ENOMEM, "out of memory for the backup");
	plan_range_old(plan, ranges, i, bytes);
	print(s, "%" PRIu64 " ", r->off);
	print_hex(s, bytes, r->len);
	for (unsigned phase = 0; phase < PLAN_NPHASE; phase++)
		if (plan_range_after(plan, ranges, i, phase, bytes)) {
			print(s, " %u:", phase);
			print_hex(s, bytes, r->len);
		}
	print(s, "\n");
	free(bytes);
	return 0;
}

/* The pool's uuid as it is in the file, and as the plan leaves it. */
static int MUST_CHECK print_uuids(struct sink *s, const struct plan *plan,
				  const struct image *image)
{
	struct pool_header h;
	int ret = poolset_io_read(image->set, 0, 0, &h, sizeof(h));

	if (ret < 0)
		return ret;
	print(s, "pool ");
	print_hex(s, h.poolset_uuid.bytes, UUID_SIZE);
	print(s, " ");
	print_hex(s, plan->parent.bytes, UUID_SIZE);
	print(s, "\n");
	return 0;
}

static int MUST_CHECK print_all(struct sink *s, const struct plan *plan,
				const struct image *image)
{
	uint64_t length = image_length(image);
	struct plan_ranges ranges;
	int ret;

	print(s, plan->narea ? BACKUP_HEADLINE_3 : BACKUP_HEADLINE);
	ret = print_uuids(s, plan, image);
	if (ret < 0)
		return ret;
	ret = plan_ranges(plan, &ranges);
	if (ret < 0)
		return ret;
	print(s, "length %" PRIu64 " %" PRIu64 "\n", length,
	      plan->extend_to ? plan->extend_to : length);
	for (size_t i = 0; i < plan->narea; i++)
		print(s, "area %" PRIu64 " %" PRIu64 " %016" PRIx64 "\n",
		      plan->area[i].off, plan->area[i].len, plan->area[i].sum);
	for (size_t i = 0; i < plan->nfinding; i++) {
		print(s, "note ");
		put(s, plan->finding[i], strlen(plan->finding[i]));
		print(s, "\n");
	}
	for (size_t i = 0; i < ranges.n && ret == 0; i++)
		ret = print_range(s, plan, &ranges, i);
	fprintf(s->f, "end %zu %016" PRIx64 "\n", ranges.n, s->sum);
	plan_ranges_free(&ranges);
	return ret;
}

static int MUST_CHECK finish(struct sink *s, const char *name)
{
	int ret;

	errno = 0;
	if (fflush(s->f) != 0 || ferror(s->f))
		ret = errno ? -errno : -EIO;
	else
		ret = file_sync(fileno(s->f));
	if (ret == 0)
		ret = folder_sync(name, fileno(s->f));
	return ret ? errormsg_fail_sys(-ret, "cannot write the backup %s", name) : 0;
}

int backup_write(const struct plan *plan, const struct image *image, const char *file,
		 char **name)
{
	struct sink s = {.sum = BACKUP_SUM_START};
	int fd = -1;
	int ret = open_new(image, file, name, &fd);

	if (ret < 0)
		return ret;
	s.f = fdopen(fd, "w");
	if (s.f) {
		ret = print_all(&s, plan, image);
		if (ret == 0)
			ret = finish(&s, *name);
		if (fclose(s.f) != 0 && ret == 0)
			ret =
			    errormsg_fail_sys(errno, "cannot write the backup %s", *name);
	} else {
		close(fd);
		ret = errormsg_fail(ENOMEM, "out of memory for the backup");
	}
	if (ret < 0)
		unlink(*name);
	return ret;
}
