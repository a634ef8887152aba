/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "btt/format.h"
#include "errormsg.h"

#define HEADLINE "pmemblk backup 1\n"
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

static void print_hex(FILE *f, const unsigned char *bytes, size_t len)
{
	fputc(' ', f);
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%02x", bytes[i]);
}

static int MUST_CHECK print_ranges(const struct plan *plan, FILE *f)
{
	struct plan_range *range;
	size_t n;
	int ret = plan_ranges(plan, &range, &n);

	for (size_t i = 0; ret == 0 && i < n; i++) {
		unsigned char *bytes = calloc(2, range[i].len);

		if (!bytes) {
			ret = errormsg_fail(ENOMEM, "out of memory for the backup");
			break;
		}
		plan_old_bytes(plan, &range[i], bytes);
		plan_new_bytes(plan, &range[i], bytes + range[i].len);
		fprintf(f, "%" PRIu64, range[i].off);
		print_hex(f, bytes, range[i].len);
		print_hex(f, bytes + range[i].len, range[i].len);
		fputc('\n', f);
		free(bytes);
	}
	if (ret == 0) {
		fprintf(f, "end %zu\n", n);
		free(range);
	}
	return ret;
}

/* A new name is durable when its folder is. */
static int sync_folder(const char *name)
{
	char *copy = strdup(name);
	char *slash = copy ? strrchr(copy, '/') : NULL;
	int fd;
	int ret;

	if (!copy)
		return -1;
	if (slash)
		slash[slash == copy] = '\0';
	fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -1;
	ret = fsync(fd);
	close(fd);
	return ret;
}

int backup_write(const struct plan *plan, const struct image *image, uint64_t length,
		 const char *file, char **name)
{
	bool failed;
	FILE *f;
	int fd = -1;
	int ret = open_new(image, file, name, &fd);

	if (ret < 0)
		return ret;
	f = fdopen(fd, "w");
	if (!f) {
		close(fd);
		return errormsg_fail(ENOMEM, "out of memory for the backup");
	}
	fputs(HEADLINE "pool", f);
	print_hex(f, image->params.parent.bytes, UUID_SIZE);
	fprintf(f, "\nlength %" PRIu64 "\n", length);
	ret = print_ranges(plan, f);
	errno = 0;
	failed = fflush(f) != 0 || ferror(f) || fsync(fd) != 0;
	if (fclose(f) != 0 || failed || (ret == 0 && sync_folder(*name) != 0)) {
		if (ret == 0)
			ret = errormsg_fail_sys(errno ? errno : EIO,
						"cannot write the backup %s", *name);
	}
	if (ret < 0)
		unlink(*name);
	return ret;
}

/* --- taking it back ---------------------------------------------------------------------- */

struct reader {
	const char *file;
	struct image *image;
	uint64_t length;
	struct plan plan; /* old bytes, to be stored */
	size_t nline;
};

static int MUST_CHECK wrong(const struct reader *r, const char *what)
{
	return errormsg_fail(EINVAL, "%s: %s", r->file, what);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes of a hexadecimal word, which they replace; false if it is none. */
static bool unhex(char *word, size_t *len)
{
	size_t n = strlen(word);

	if (n % 2 != 0)
		return false;
	for (size_t i = 0; i < n / 2; i++) {
		int hi = digit(word[2 * i]);
		int lo = digit(word[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		word[i] = (char)(hi << 4 | lo);
	}
	*len = n / 2;
	return true;
}

static int MUST_CHECK read_range(struct reader *r, char *line)
{
	char *save;
	char *offset = strtok_r(line, " \n", &save);
	char *old = strtok_r(NULL, " \n", &save);
	char *new = strtok_r(NULL, " \n", &save);
	const unsigned char *now;
	uint64_t off;
	size_t len;
	size_t new_len;
	char *end;

	if (!offset || !old || !new || !unhex(old, &len) || !unhex(new, &new_len) ||
	    len != new_len || len == 0)
		return wrong(r, "a damaged line");
	errno = 0;
	off = strtoull(offset, &end, 10);
	if (errno || *end || off > r->image->map.size || len > r->image->map.size - off)
		return wrong(r, "an offset beyond the pool");
	now = storage_at(&r->image->storage, off);
	if (memcmp(now, old, len) != 0 && memcmp(now, new, len) != 0)
		return wrong(
		    r, "the pool was changed after the repair; nothing is put back");
	r->nline++;
	/* Header and info blocks first: what the repair made openable is closed again. */
	return plan_change(&r->plan, r->image,
			   len >= BTT_INFO_SIZE || off < POOL_DATA_OFF ? 0 : PLAN_MAP,
			   off, old, len);
}

static int MUST_CHECK read_backup(struct reader *r, FILE *f)
{
	char uuid[2 * UUID_SIZE + 1];
	char *line = NULL;
	size_t room = 0;
	size_t count;
	size_t len;
	bool complete = false;
	int ret = 0;

	if (getline(&line, &room, f) < 0 || strcmp(line, HEADLINE) != 0 ||
	    fscanf(f, "pool %32s\nlength %" SCNu64 "\n", uuid, &r->length) != 2)
		ret = wrong(r, "not a backup of pmemblk repair");
	else if (!unhex(uuid, &len) || len != UUID_SIZE)
		ret = wrong(r, "a damaged line");
	while (ret == 0 && !complete && getline(&line, &room, f) >= 0) {
		if (sscanf(line, "end %zu", &count) == 1)
			complete = count == r->nline;
		else
			ret = read_range(r, line);
	}
	if (ret == 0 && !complete)
		ret = wrong(r, "the backup is not complete");
	/* The header may be among what is put back, so its uuid is compared afterwards, too. */
	if (ret == 0 &&
	    memcmp(uuid, r->image->header->poolset_uuid.bytes, UUID_SIZE) != 0) {
		image_load_params(r->image);
		if (memcmp(uuid, r->image->params.parent.bytes, UUID_SIZE) != 0)
			ret = wrong(r, "the backup is another pool's");
	}
	free(line);
	return ret;
}

static int MUST_CHECK shorten(const struct reader *r)
{
	struct poolset_part *part = &r->image->set->part[0];

	if (r->length >= r->image->map.size || r->image->set->npart != 1)
		return 0;
	if (ftruncate(part->fd, (off_t)r->length) != 0)
		return errormsg_fail_sys(errno, "cannot shorten %s", part->path);
	return 0;
}

int backup_undo(const char *file, struct image *image, size_t *nrange)
{
	struct reader r = {.file = file, .image = image};
	FILE *f = fopen(file, "re");
	int ret;

	if (!f)
		return errormsg_fail_sys(errno, "cannot open %s", file);
	plan_init(&r.plan, 0);
	ret = read_backup(&r, f);
	fclose(f);
	if (ret == 0)
		ret = plan_apply(&r.plan, image);
	if (ret == 0)
		ret = shorten(&r);
	*nrange = r.plan.nchange;
	plan_free(&r.plan);
	return ret;
}
