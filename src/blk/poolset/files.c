/* SPDX-License-Identifier: BSD-3-Clause */
#include "poolset/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blame.h"
#include "errormsg.h"
#include "file.h"
#include "base/pool_format.h"
#include "poolset/fork.h"
#include "poolset/wait.h"
#include "ram_file.h"

/* Whether another part that is open already is the same file as st. */
static bool is_given_twice(const struct poolset *set, const struct poolset_part *part,
			   const struct stat *st)
{
	for (const struct poolset_part *p = set->part; p < part; p++) {
		struct stat other;

		if (p->fd >= 0 && fstat(p->fd, &other) == 0 &&
		    other.st_dev == st->st_dev && other.st_ino == st->st_ino)
			return true;
	}
	return false;
}

static int fail_twice(const struct poolset *set, const struct poolset_part *part)
{
	return errormsg_fail(EAGAIN, "%s:%u: %s is listed twice", set->path, part->line,
			     part->path);
}

static int lock_part(const struct poolset *set, const struct poolset_part *part)
{
	struct stat st;
	int ret = poolset_lock(part->fd);

	if (ret == 0)
		return 0;
	if (ret != -EWOULDBLOCK)
		return errormsg_fail_sys(-ret, "cannot lock %s", part->path);
	if (fstat(part->fd, &st) == 0 && is_given_twice(set, part, &st))
		return fail_twice(set, part);
	return poolset_fail_locked(set->wait, part->path);
}

static int check_length(const struct poolset *set, const struct poolset_part *part)
{
	if (part->size && part->length != part->size)
		return errormsg_fail(
		    EINVAL, "%s:%u: %s has %llu bytes, the set says %llu", set->path,
		    part->line, part->path, ULL(part->length), ULL(part->size));
	if (part->length < POOL_MIN_PART)
		return errormsg_fail(EINVAL,
				     "%s has %llu bytes, a pool file needs at least %llu",
				     part->path, ULL(part->length), ULL(POOL_MIN_PART));
	return 0;
}

/* Whether an error of open(2) means that the file cannot be written, but perhaps read. */
static bool is_read_only(int err)
{
	return err == EACCES || err == EPERM || err == EROFS || err == ETXTBSY;
}

/* Opens a part. -1 and errno as from open(2). */
static int open_fd(const struct poolset *set, struct poolset_part *part, int flags)
{
	part->fd = poolset_fork_open(set, (unsigned)(part - set->part), flags);
	return part->fd;
}

/* If the file has become a fifo meanwhile, the open must not wait. */
static int open_file(const struct poolset *set, struct poolset_part *part,
		     enum poolset_access access)
{
	const int flags = O_NONBLOCK | O_NOCTTY;

	if (access == POOLSET_READ)
		part->read_only = EBADF;
	else if (open_fd(set, part, O_RDWR | flags) < 0 && access == POOLSET_MEND &&
		 is_read_only(errno))
		part->read_only = errno;
	if (part->read_only)
		open_fd(set, part, O_RDONLY | flags);
	if (part->fd >= 0)
		return 0;
	return errormsg_fail_sys(errno, "cannot open %s", part->path);
}

static int open_regular(const struct poolset *set, struct poolset_part *part,
			enum poolset_access access)
{
	struct stat st;
	int ret;

	if (set->is_file && part->size == 0)
		return errormsg_fail(EINVAL,
				     "%s:%u: size AUTO is for device DAX, but %s is a "
				     "regular file",
				     set->path, part->line, part->path);
	ret = open_file(set, part, access);
	if (ret == 0)
		ret = lock_part(set, part);
	if (ret < 0)
		return ret;
	if (fstat(part->fd, &st) != 0)
		return errormsg_fail_sys(errno, "cannot stat %s", part->path);
	if (!S_ISREG(st.st_mode))
		return errormsg_fail(EINVAL, "%s is not a regular file any more",
				     part->path);
	part->length = (uint64_t)st.st_size;
	ret = ram_file_check_length(part->fd, part->length);
	return ret < 0 ? blame_file(part->path, ret) : check_length(set, part);
}

static int open_devdax(const struct poolset *set, struct poolset_part *part)
{
	int ret;

	part->is_devdax = true;
	ret = file_devdax_size(part->path, &part->length);
	if (ret == 0)
		ret = file_devdax_alignment(part->path, &part->align);
	if (ret < 0)
		return ret;
	part->length -= part->length % part->align;
	if (open_fd(set, part, O_RDWR) < 0)
		return errormsg_fail_sys(errno, "cannot open %s", part->path);
	ret = lock_part(set, part);
	return ret < 0 ? ret : check_length(set, part);
}

/* Checks what can be checked before an absent part is made. */
static int plan_part(const struct poolset *set, struct poolset_part *part)
{
	int ret;

	if (part->size == 0)
		return errormsg_fail_sys(ENOENT, "cannot find %s", part->path);
	part->length = part->size;
	ret = check_length(set, part);
	if (ret < 0)
		return ret;
	ret = file_check_size_limit(part->length);
	return ret < 0 ? blame_file(part->path, ret) : 0;
}

static int open_part(const struct poolset *set, struct poolset_part *part,
		     enum poolset_access access, bool *is_absent)
{
	enum file_type type = FILE_ABSENT;
	int ret = 0;

	*is_absent = false;
	/* If pmemblk_create() was given a size, the file is made, and must not exist. */
	if (set->is_file || part->size == 0)
		ret = file_classify(part->path, &type);
	if (ret < 0)
		return ret;
	switch (type) {
	case FILE_REGULAR:
		return open_regular(set, part, access);
	case FILE_DEVDAX:
		return open_devdax(set, part);
	case FILE_DIRECTORY:
		return errormsg_fail(EINVAL, "%s is a directory", part->path);
	case FILE_ABSENT:
		break;
	}
	*is_absent = true;
	return 0;
}

static int check_devices(const struct poolset *set)
{
	unsigned ndev = 0;
	const struct poolset_part *coarse = NULL;

	for (unsigned i = 0; i < set->npart; i++)
		if (set->part[i].is_devdax) {
			ndev++;
			if (set->part[i].align != POOL_PAGE)
				coarse = &set->part[i];
		}
	if (ndev != 0 && ndev != set->npart)
		return errormsg_fail(EINVAL, "%s mixes device DAX and files", set->path);
	if (ndev > 1 && coarse && !set->singlehdr)
		return errormsg_fail(
		    EINVAL,
		    "%s: device DAX %s is aligned to %llu bytes; several "
		    "such devices need OPTION SINGLEHDR",
		    set->path, coarse->path, ULL(coarse->align));
	return 0;
}

static int open_parts(struct poolset *set, bool for_create, enum poolset_access access,
		      bool *all_new)
{
	int ret = poolset_fork_enter(set);

	*all_new = true;
	for (unsigned i = 0; i < set->npart && ret == 0; i++) {
		struct poolset_part *part = &set->part[i];
		bool is_absent;

		ret = open_part(set, part, access, &is_absent);
		if (ret < 0)
			break;
		if (!is_absent)
			*all_new = false;
		else if (for_create)
			ret = plan_part(set, part);
		else
			ret = errormsg_fail_sys(ENOENT, "cannot find %s", part->path);
	}
	if (ret == 0)
		ret = check_devices(set);
	if (ret < 0)
		poolset_files_unlock_and_close(set);
	return ret;
}

int poolset_files_open(struct poolset *set, enum poolset_access access)
{
	bool all_new;

	return open_parts(set, false, access, &all_new);
}

int poolset_files_check_writable(const struct poolset *set)
{
	for (unsigned i = 0; i < set->npart; i++)
		if (set->part[i].read_only)
			return errormsg_fail_sys(set->part[i].read_only,
						 "cannot open %s for writing",
						 set->part[i].path);
	return 0;
}

int poolset_files_open_existing(struct poolset *set, bool *all_new)
{
	return open_parts(set, true, POOLSET_WRITE, all_new);
}

static int make_part(const struct poolset *set, struct poolset_part *part)
{
	int ret;

	if (open_fd(set, part, O_RDWR | O_CREAT | O_EXCL) < 0) {
		int err = errno;
		struct stat st;

		if (err == EEXIST && stat(part->path, &st) == 0 &&
		    is_given_twice(set, part, &st))
			return fail_twice(set, part);
		return errormsg_fail_sys(err, "cannot create %s", part->path);
	}
	part->is_created = true;
	ret = lock_part(set, part);
	if (ret < 0)
		return ret;
	ret = file_allocate(part->fd, part->length);
	if (ret < 0)
		return errormsg_fail_sys(-ret, "cannot allocate %llu bytes for %s",
					 ULL(part->length), part->path);
	return 0;
}

int poolset_files_make(struct poolset *set)
{
	int ret = 0;

	for (unsigned i = 0; i < set->npart && ret == 0; i++)
		if (set->part[i].fd < 0)
			ret = make_part(set, &set->part[i]);
	return ret;
}

int poolset_files_note_holes(struct poolset *set)
{
	for (unsigned i = 0; i < set->npart; i++) {
		struct poolset_part *part = &set->part[i];

		if (part->fd < 0 || part->is_created || part->is_devdax)
			continue;
		if (file_holes_note(&part->holes, part->fd) < 0)
			return errormsg_fail(ENOMEM, "out of memory for the holes of %s",
					     part->path);
	}
	return 0;
}

int poolset_files_allocate_existing(const struct poolset *set)
{
	for (unsigned i = 0; i < set->npart; i++) {
		const struct poolset_part *part = &set->part[i];
		int ret;

		if (part->fd < 0 || part->is_created || part->is_devdax)
			continue;
		ret = file_allocate(part->fd, part->length);
		if (ret < 0)
			return errormsg_fail_sys(-ret,
						 "cannot allocate %llu bytes for %s",
						 ULL(part->length), part->path);
	}
	return 0;
}

int poolset_files_chmod(const struct poolset *set, mode_t mode)
{
	for (unsigned i = 0; i < set->npart; i++) {
		const struct poolset_part *part = &set->part[i];
		int ret;

		if (!part->is_created)
			continue;
		if (fchmod(part->fd, mode) != 0)
			return errormsg_fail_sys(errno,
						 "cannot set the mode of %s to %#o",
						 part->path, (unsigned)mode);
		/* If the mode were lost at a power loss, nobody could open the pool. */
		ret = file_sync(part->fd);
		if (ret < 0)
			return errormsg_fail_sys(-ret, "cannot synchronise %s",
						 part->path);
	}
	return 0;
}

void poolset_files_remove_created(struct poolset *set)
{
	for (unsigned i = 0; i < set->npart; i++)
		if (set->part[i].is_created) {
			file_remove_made(set->part[i].path, set->part[i].fd);
			set->part[i].is_created = false;
		}
}

void poolset_files_restore_holes(const struct poolset *set)
{
	for (unsigned i = 0; i < set->npart; i++)
		if (set->part[i].fd >= 0)
			file_holes_restore(&set->part[i].holes, set->part[i].fd);
}

void poolset_files_close(struct poolset *set)
{
	for (unsigned i = 0; i < set->npart; i++)
		if (set->part[i].fd >= 0) {
			close(set->part[i].fd);
			set->part[i].fd = -1;
		}
	poolset_fork_leave(set);
}

void poolset_files_unlock_and_close(struct poolset *set)
{
	for (unsigned i = 0; i < set->npart; i++)
		if (set->part[i].fd >= 0)
			flock(set->part[i].fd, LOCK_UN);
	poolset_files_close(set);
}

uint64_t poolset_files_image_size(const struct poolset *set)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < set->npart; i++)
		if (__builtin_add_overflow(
			size, poolset_part_used(set, i, set->part[i].length), &size))
			return UINT64_MAX & ~(uint64_t)(POOL_PAGE - 1);
	return size;
}
