/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order of the checks decides which error is reported, and programs rely on it: path,
 * kind of file, flags, length, open, truncation, allocation, mapping.
 *
 * A call that fails after it has opened the file undoes what it has done to the file: it
 * removes a file that it made, and gives an existing one its old length back. It does not
 * free the space that it allocated in an existing file: others may have stored data there
 * meanwhile. It cannot give the old length back if that is beyond RLIMIT_FSIZE.
 */
#include "map_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blame.h"
#include "engine.h"
#include "errormsg.h"
#include "file.h"
#include "is_pmem.h"
#include "libpmem.h"
#include "mapping.h"
#include "region.h"

#define FLAGS (PMEM_FILE_CREATE | PMEM_FILE_EXCL | PMEM_FILE_SPARSE | PMEM_FILE_TMPFILE)
#define DEVDAX_FLAGS (PMEM_FILE_CREATE | PMEM_FILE_SPARSE)

struct opened {
	const char *path;
	int fd;
	bool created;
	bool resized;
	off_t old_size;
};

static int check_devdax(const char *path, size_t len, int flags)
{
	uint64_t size;
	int ret;

	if (flags & ~DEVDAX_FLAGS)
		return errormsg_fail(EINVAL, "flags 0x%x do not go with device DAX %s",
				     (unsigned)flags, path);
	ret = file_devdax_size(path, &size);
	if (ret < 0)
		return errormsg_fail(EINVAL, "cannot learn the size of device DAX %s",
				     path);
	if (len != 0 && len != size)
		return errormsg_fail(
		    EINVAL,
		    "length of device DAX %s must be 0 or its size %llu, "
		    "not %zu",
		    path, (unsigned long long)size, len);
	return 0;
}

static int check_file(const char *path, size_t len, int flags)
{
	if (flags & PMEM_FILE_CREATE) {
		if (len > (size_t)INT64_MAX)
			return errormsg_fail(EINVAL, "invalid file length %zu for %s",
					     len, path);
		if (len == 0)
			return errormsg_fail(
			    EINVAL, "PMEM_FILE_CREATE needs a length for %s", path);
		return 0;
	}
	if (len != 0)
		return errormsg_fail(EINVAL,
				     "length %zu without PMEM_FILE_CREATE: %s would be "
				     "mapped whole, pass 0",
				     len, path);
	if (flags & PMEM_FILE_TMPFILE)
		return errormsg_fail(
		    EINVAL, "PMEM_FILE_TMPFILE in %s needs PMEM_FILE_CREATE", path);
	return 0;
}

/* --- opening ------------------------------------------------------------------------- */

/* For file systems without O_TMPFILE. */
static int open_and_unlink(const char *dir)
{
	char name[PATH_MAX];
	int n = snprintf(name, sizeof(name), "%s/pmem.XXXXXX", dir);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

static int open_tmpfile(struct opened *file, int flags)
{
	int excl = flags & PMEM_FILE_EXCL ? O_EXCL : 0;

	file->fd = open(file->path, O_TMPFILE | O_RDWR | O_CLOEXEC | excl, 0600);
	if (file->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		file->fd = open_and_unlink(file->path);
	if (file->fd < 0)
		return errormsg_fail_sys(errno, "cannot create a temporary file in %s",
					 file->path);
	return 0;
}

/*
 * Makes the file or opens the existing one, and notes which of the two it did. If it can do
 * neither, the descriptor is negative, and errno is set.
 */
static void open_or_create(struct opened *file, bool exists, bool excl, mode_t mode)
{
	const int flags = O_RDWR | O_CLOEXEC;

	if (exists && !excl) {
		file->fd = open(file->path, flags);
		if (file->fd >= 0 || errno != ENOENT)
			return;
	}
	file->fd = open(file->path, flags | O_CREAT | O_EXCL, mode);
	if (file->fd >= 0) {
		file->created = true;
		return;
	}
	if (excl || errno != EEXIST)
		return;
	/* A symbolic link to nothing; or another process has made the file meanwhile. */
	file->fd = open(file->path, flags);
	if (file->fd >= 0 || errno != ENOENT)
		return;
	file->fd = open(file->path, flags | O_CREAT, mode);
	file->created = file->fd >= 0;
}

static int open_file(struct opened *file, enum file_type type, int flags, mode_t mode)
{
	struct stat st;

	if (flags & PMEM_FILE_TMPFILE)
		return open_tmpfile(file, flags);
	if (flags & PMEM_FILE_CREATE)
		open_or_create(file, type != FILE_ABSENT, flags & PMEM_FILE_EXCL, mode);
	else
		file->fd = open(file->path, O_RDWR | O_CLOEXEC);
	if (file->fd < 0)
		return errormsg_fail_sys(errno, "cannot open %s", file->path);
	if (fstat(file->fd, &st) != 0)
		return errormsg_fail_sys(errno, "fstat of %s", file->path);
	file->old_size = st.st_size;
	return 0;
}

/* --- the length ---------------------------------------------------------------------- */

static int fail_length(const struct opened *file, size_t len, int err)
{
	size_t unit = mapping_unit(file->fd);

	if (err == EINVAL && len % unit != 0 && unit > (size_t)sysconf(_SC_PAGESIZE))
		return errormsg_fail(
		    EINVAL,
		    "cannot give %s the length %zu, which is no multiple "
		    "of %zu, the huge page of its file system",
		    file->path, len, unit);
	return errormsg_fail_sys(err, "cannot give %s the length %zu", file->path, len);
}

static int give_length(struct opened *file, size_t len, bool sparse)
{
	int ret = 0;

	if (len > (uint64_t)file->old_size)
		ret = file_check_size_limit(len);
	if (ret < 0)
		return blame_file(file->path, ret);
	file->resized = true;
	/*
	 * Both are called by these names in the C library, because programs interpose
	 * them.
	 */
	ret = file_set_length(file->fd, len);
	if (ret < 0)
		return fail_length(file, len, -ret);
	if (!sparse)
		ret = file_allocate(file->fd, len);
	if (ret < 0)
		return errormsg_fail_sys(-ret, "cannot allocate %zu bytes for %s", len,
					 file->path);
	return 0;
}

static void undo(const struct opened *file)
{
	if (file->fd < 0)
		return;
	if (file->created)
		file_remove_made(file->path, file->fd);
	else if (file->resized && file_set_length(file->fd, (uint64_t)file->old_size) < 0)
		return; /* it had this length before; nothing else can be done */
}

/* --- mapping ------------------------------------------------------------------------- */

static int map(const struct opened *file, enum file_type type, size_t len, size_t unit,
	       struct map_file_result *result)
{
	bool is_sync;
	bool sync_refused;
	const char *why;
	void *addr;
	struct stat st;
	int region = IS_PMEM_FILE;
	int ret;

	if (type == FILE_DEVDAX) {
		if (fstat(file->fd, &st) != 0)
			return errormsg_fail_sys(errno, "cannot stat %s", file->path);
		region = region_of_device(st.st_rdev);
	}
	ret = mapping_reserve(len, unit, &addr);
	if (ret < 0)
		return blame_file(file->path, ret);
	ret = mapping_place(addr, len, file->fd, 0, MAPPING_SHARED, &is_sync, &why);
	if (ret < 0) {
		mapping_release(addr, len, unit);
		return errormsg_fail_sys(-ret, "cannot map %zu bytes of %s", len,
					 file->path);
	}
	sync_refused = !is_sync;
	if (type == FILE_DEVDAX)
		is_sync = true;
	if (is_sync && !engine.flush_backend->durable) {
		is_sync = false;
		why = "this CPU cannot write its caches back to persistent memory";
	}
	if (is_sync)
		ret = is_pmem_add(addr, len, region);
	else
		ret = is_pmem_remove(addr, len);
	if (ret < 0) {
		mapping_release(addr, len, unit);
		return errormsg_fail_sys(-ret, "cannot keep track of the mapping of %s",
					 file->path);
	}
	*result = (struct map_file_result){addr, len, is_sync ? NULL : why, sync_refused};
	return 0;
}

static int map_opened(struct opened *file, enum file_type type, size_t len, int flags,
		      struct map_file_result *result)
{
	uint64_t size = (uint64_t)file->old_size;
	uint64_t align = 0;
	int ret = 0;

	if (type == FILE_DEVDAX) {
		ret = file_devdax_size(file->path, &size);
		if (ret == 0)
			ret = file_devdax_alignment(file->path, &align);
	} else if (flags & PMEM_FILE_CREATE) {
		size = len;
		ret = give_length(file, len, flags & PMEM_FILE_SPARSE);
	}
	if (ret == 0 && size == 0)
		return errormsg_fail(EINVAL, "%s is empty", file->path);
	if (ret == 0)
		ret =
		    map(file, type, size, align ? align : mapping_unit(file->fd), result);
	return ret;
}

int map_file(const char *path, size_t len, int flags, mode_t mode,
	     struct map_file_result *result)
{
	struct opened file = {.path = path, .fd = -1};
	enum file_type type;
	int ret;

	if (!path)
		return errormsg_fail(EINVAL, "path is NULL");
	ret = file_classify(path, &type);
	if (ret < 0)
		return ret;
	if (flags & ~FLAGS)
		return errormsg_fail(EINVAL, "invalid flags 0x%x for %s (valid: 0x%x)",
				     (unsigned)flags, path, (unsigned)FLAGS);
	if (type == FILE_DEVDAX) {
		ret = check_devdax(path, len, flags);
		flags = 0;
	} else {
		ret = check_file(path, len, flags);
	}
	if (ret == 0)
		ret = open_file(&file, type, flags, mode);
	if (ret == 0)
		ret = map_opened(&file, type, len, flags, result);
	if (ret < 0)
		undo(&file);
	if (file.fd >= 0)
		close(file.fd);
	return ret;
}

int map_file_unmap(void *addr, size_t len)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)addr;
	int ret;

	if (at % page != 0)
		return errormsg_fail(EINVAL, "unmap: %p is no multiple of the page size",
				     addr);
	if (len == 0)
		return errormsg_fail(EINVAL, "unmap: the length is 0");
	if (len > UINTPTR_MAX - (page - 1) - at)
		return errormsg_fail(
		    EINVAL, "unmap: %zu bytes at %p exceed the address space", len, addr);
	ret = is_pmem_unmap(addr, len);
	if (ret < 0)
		return errormsg_fail_sys(-ret, "cannot unmap %zu bytes at %p", len, addr);
	return 0;
}
