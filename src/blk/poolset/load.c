/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads set files, and replaces directories by the part files in them. */
#include "poolset/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "errormsg.h"
#include "file.h"
#include "base/pool_format.h"
#include "poolset/parse.h"

/* A longer set file is refused. */
#define MAX_SET_FILE ((off_t)64 << 20)

#define PART_SUFFIX ".pmem"

/* Reads exactly len bytes. If there are fewer, somebody has shortened the file meanwhile. */
static int read_exactly(int fd, const char *path, char *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, buf + done, len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errormsg_fail_sys(errno, "cannot read %s", path);
		if (n == 0)
			return errormsg_fail(EINVAL, "%s changed while it was read",
					     path);
		done += (size_t)n;
	}
	return 0;
}

static int parse_fd(int fd, const char *path, off_t size, struct poolset **out)
{
	char *text;
	int ret;

	if (size > MAX_SET_FILE)
		return errormsg_fail(EINVAL,
				     "pool set file %s has %lld bytes, at most %lld "
				     "are read",
				     path, (long long)size, (long long)MAX_SET_FILE);
	text = alloc_zeroed((size_t)size);
	if (!text)
		return errormsg_fail(ENOMEM, "out of memory for %s", path);
	ret = read_exactly(fd, path, text, (size_t)size);
	if (ret == 0)
		ret = poolset_parse(path, text, (size_t)size, out);
	alloc_free(text);
	return ret;
}

static int check_regular(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return errormsg_fail_sys(errno, "cannot stat %s", path);
	if (!S_ISREG(st.st_mode))
		return errormsg_fail(EINVAL, "%s is not a regular file any more", path);
	return 0;
}

static int lock_fd(int fd, const char *path, struct poolset_wait *wait)
{
	int ret = poolset_lock_shared(fd);

	if (ret == -EWOULDBLOCK)
		return poolset_fail_locked(wait, path);
	return ret < 0 ? errormsg_fail_sys(-ret, "cannot lock %s", path) : 0;
}

/* Parses a set file, which begins with its signature; any other file becomes a set of one. */
static int load_fd(int fd, const char *path, struct poolset **out)
{
	char signature[POOLSET_SIGNATURE_LEN];
	struct stat st;
	int ret;

	if (fstat(fd, &st) != 0)
		return errormsg_fail_sys(errno, "cannot stat %s", path);
	if (st.st_size < (off_t)sizeof(signature))
		return poolset_single(path, 0, out);
	ret = read_exactly(fd, path, signature, sizeof(signature));
	if (ret < 0)
		return ret;
	if (memcmp(signature, POOLSET_SIGNATURE, sizeof(signature)) != 0)
		return poolset_single(path, 0, out);
	return parse_fd(fd, path, st.st_size, out);
}

/* --- directories --------------------------------------------------------------------- */

struct found {
	unsigned long index;
	uint64_t length;
	char *path;
};

struct found_list {
	struct found *item;
	size_t n;
};

static void free_found(struct found_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		alloc_free(list->item[i].path);
	alloc_free(list->item);
}

static char *join(const char *dir, const char *name)
{
	size_t size = strlen(dir) + strlen(name) + 2;
	char *path = alloc_zeroed(size);

	if (path)
		snprintf(path, size, "%s/%s", dir, name);
	return path;
}

static int add_found(struct found_list *list, const char *dir, const char *name,
		     uint64_t length)
{
	struct found *item = alloc_resize(list->item, (list->n + 1) * sizeof(*item));
	char *path = item ? join(dir, name) : NULL;

	if (item)
		list->item = item;
	if (!path)
		return errormsg_fail(ENOMEM, "out of memory for the parts in %s", dir);
	item[list->n++] = (struct found){
	    .index = strtoul(name, NULL, 10), .length = length, .path = path};
	return 0;
}

bool poolset_is_part_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && strcmp(dot, PART_SUFFIX) == 0;
}

static int scan_directory(const char *dir, struct found_list *list)
{
	DIR *d = opendir(dir);
	int ret = 0;

	if (!d)
		return errormsg_fail_sys(errno, "cannot read directory %s", dir);
	while (ret == 0) {
		const struct dirent *entry;
		struct stat st;

		errno = 0;
		entry = readdir(d);
		if (!entry) {
			if (errno)
				ret = errormsg_fail_sys(errno, "cannot read directory %s",
							dir);
			break;
		}
		if (!poolset_is_part_name(entry->d_name))
			continue;
		if (fstatat(dirfd(d), entry->d_name, &st, 0) != 0 || !S_ISREG(st.st_mode))
			continue;
		ret = add_found(list, dir, entry->d_name, (uint64_t)st.st_size);
	}
	closedir(d);
	return ret;
}

static int by_index(const void *a, const void *b)
{
	const struct found *x = a;
	const struct found *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

/* A directory, and its index in the set. */
struct place {
	dev_t dev;
	ino_t ino;
	unsigned index;
};

static int by_identity(const void *a, const void *b)
{
	const struct place *x = a;
	const struct place *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Sorts the places, and checks that no two of them are the same directory. */
static int check_listed_once(const struct poolset *set, struct place *place)
{
	qsort(place, set->npart, sizeof(*place), by_identity);
	for (unsigned i = 1; i < set->npart; i++)
		if (place[i].dev == place[i - 1].dev &&
		    place[i].ino == place[i - 1].ino) {
			const struct poolset_part *part = &set->part[place[i].index];

			return errormsg_fail(EEXIST,
					     "%s:%u: directory %s is listed twice",
					     set->path, part->line, part->path);
		}
	return 0;
}

static int stat_directories(const struct poolset *set, struct place *place,
			    uint64_t *reserved)
{
	for (unsigned i = 0; i < set->npart; i++) {
		const struct poolset_part *part = &set->part[i];
		struct stat st;

		if (stat(part->path, &st) != 0)
			return errormsg_fail_sys(errno, "cannot access %s", part->path);
		place[i] = (struct place){st.st_dev, st.st_ino, i};
		if (part->size == 0)
			return errormsg_fail(EINVAL, "%s:%u: size AUTO for a directory",
					     set->path, part->line);
		if (__builtin_add_overflow(*reserved, part->size, reserved))
			*reserved = UINT64_MAX;
	}
	return 0;
}

/* Checks the directories, and adds up the space that the set reserves in them. */
static int check_directories(const struct poolset *set, uint64_t *reserved)
{
	struct place *place = alloc_zeroed(set->npart * sizeof(*place));
	int ret;

	*reserved = 0;
	if (!place)
		return errormsg_fail(ENOMEM, "out of memory for the parts of %s",
				     set->path);
	ret = stat_directories(set, place, reserved);
	if (ret == 0)
		ret = check_listed_once(set, place);
	alloc_free(place);
	if (ret == 0 && *reserved < POOL_MIN_SIZE)
		ret = errormsg_fail(EINVAL,
				    "%s reserves %llu bytes, a pool needs at least %llu",
				    set->path, ULL(*reserved), ULL(POOL_MIN_SIZE));
	return ret;
}

static int check_found(const struct poolset *set, const struct found_list *list,
		       uint64_t reserved)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (__builtin_add_overflow(sum, list->item[i].length, &sum))
			sum = UINT64_MAX;
		if (i > 0 && list->item[i - 1].index == list->item[i].index)
			return errormsg_fail(EINVAL,
					     "%s and %s both claim to be part %lu",
					     list->item[i - 1].path, list->item[i].path,
					     list->item[i].index);
	}
	if (sum > reserved)
		return errormsg_fail(
		    EINVAL, "%s reserves %llu bytes, but its part files have %llu",
		    set->path, ULL(reserved), ULL(sum));
	return 0;
}

/* Replaces the directories by the part files. */
static int replace_parts(struct poolset *set, struct found_list *list, bool for_create)
{
	char *first_dir = set->part[0].path;
	int ret = 0;

	for (unsigned i = 1; i < set->npart; i++)
		alloc_free(set->part[i].path);
	alloc_free(set->part);
	set->part = NULL;
	set->npart = 0;
	for (size_t i = 0; i < list->n && ret == 0; i++) {
		char *path = list->item[i].path;

		list->item[i].path = NULL;
		ret = poolset_add_part(set, path, list->item[i].length, 0);
	}
	if (list->n == 0 && for_create) {
		char *path = join(first_dir, "000000" PART_SUFFIX);

		ret = path ? poolset_add_part(set, path, POOL_MIN_SIZE, 0)
			   : errormsg_fail(ENOMEM, "out of memory for %s", set->path);
	} else if (list->n == 0) {
		ret = errormsg_fail(ENOENT,
				    "there is no part file (*" PART_SUFFIX
				    ") in the directories of %s",
				    set->path);
	}
	alloc_free(first_dir);
	return ret;
}

static int expand_directories(struct poolset *set, bool for_create)
{
	struct found_list list = {NULL, 0};
	uint64_t reserved;
	int ret = check_directories(set, &reserved);

	for (unsigned i = 0; i < set->npart && ret == 0; i++)
		ret = scan_directory(set->part[i].path, &list);
	if (ret == 0) {
		if (list.n > 1)
			qsort(list.item, list.n, sizeof(*list.item), by_index);
		ret = check_found(set, &list, reserved);
	}
	if (ret == 0)
		ret = replace_parts(set, &list, for_create);
	free_found(&list);
	return ret;
}

static int resolve(struct poolset *set, bool for_create)
{
	unsigned ndir = 0;
	int ret;

	if (set->nohdrs)
		return errormsg_fail(
		    EINVAL, "%s: OPTION NOHDRS is for remote replicas only", set->path);
	for (unsigned i = 0; i < set->npart; i++) {
		struct stat st;

		if (stat(set->part[i].path, &st) == 0 && S_ISDIR(st.st_mode))
			ndir++;
	}
	if (ndir && !set->singlehdr)
		return errormsg_fail(EINVAL, "%s: directories need OPTION SINGLEHDR",
				     set->path);
	if (ndir && ndir != set->npart)
		return errormsg_fail(EINVAL, "%s mixes files and directories", set->path);
	if (ndir) {
		ret = expand_directories(set, for_create);
		if (ret < 0)
			return ret;
	}
	if (set->nreplica > 1)
		return errormsg_fail(EOPNOTSUPP,
				     "%s has replicas, which pools of blocks cannot have",
				     set->path);
	return 0;
}

static int load_locked(int fd, const char *path, struct poolset_wait *wait,
		       struct poolset **out)
{
	int ret = lock_fd(fd, path, wait);

	if (ret < 0)
		return ret;
	ret = load_fd(fd, path, out);
	/* a child that was forked meanwhile may have a copy of fd */
	flock(fd, LOCK_UN);
	return ret;
}

static int load_file(const char *path, bool is_locked, struct poolset_wait *wait,
		     struct poolset **out)
{
	/* If the file has become a fifo meanwhile, the open must not wait. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return errormsg_fail_sys(errno, "cannot open %s", path);
	ret = check_regular(fd, path);
	if (ret == 0)
		ret =
		    is_locked ? load_fd(fd, path, out) : load_locked(fd, path, wait, out);
	close(fd);
	return ret;
}

/* is_locked: by this process, so that nothing is locked here */
static int load(const char *path, bool for_create, bool is_locked,
		struct poolset_wait *wait, struct poolset **out)
{
	enum file_type type;
	int ret = file_classify(path, &type);

	if (ret < 0)
		return ret;
	if (type == FILE_ABSENT)
		return errormsg_fail_sys(ENOENT, "cannot find %s", path);
	if (type == FILE_DIRECTORY)
		return errormsg_fail(EINVAL, "%s is a directory", path);
	if (type == FILE_DEVDAX)
		ret = poolset_single(path, 0, out);
	else
		ret = load_file(path, is_locked, wait, out);
	if (ret < 0)
		return ret;
	(*out)->wait = wait;
	if ((*out)->is_file)
		ret = resolve(*out, for_create);
	if (ret < 0) {
		poolset_free(*out);
		*out = NULL;
	}
	return ret;
}

int poolset_load(const char *path, bool for_create, struct poolset_wait *wait,
		 struct poolset **out)
{
	return load(path, for_create, false, wait, out);
}

int poolset_load_again(const char *path, struct poolset **out)
{
	return load(path, false, true, NULL, out);
}
