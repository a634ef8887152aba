/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/own_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "commands/loop.h"
#include "commands/tool.h"
#include "errormsg.h"
#include "poolset/load.h"

/* If a file has an access control list, its mode tells reliably only about the owner. */
static void add_part(struct own_files *files, const char *path, const struct stat *st,
		     bool is_first)
{
	mode_t mode = st->st_mode;

	if (getxattr(path, OWN_FILES_ACL, NULL, 0) > 0)
		mode &= 0700;
	if (is_first)
		files->gid = st->st_gid;
	else if (files->gid != st->st_gid)
		files->is_one_group = false;
	files->mode &= mode;
	files->others &= mode & mode >> 3;
}

static bool add_file(struct own_files *files, const char *path)
{
	if (stat(path, &files->file[files->n]) != 0) {
		tool_complain("cannot find %s: %s", path, strerror(errno));
		return false;
	}
	files->n++;
	return true;
}

static bool add_files(struct own_files *files, const struct poolset *set)
{
	files->file = calloc(set->npart + 1, sizeof(*files->file));
	if (!files->file) {
		tool_complain("out of memory for the files of %s", files->path);
		return false;
	}
	if (!add_file(files, files->path))
		return false;
	for (unsigned i = 0; i < set->npart; i++) {
		if (!add_file(files, set->part[i].path))
			return false;
		add_part(files, set->part[i].path, &files->file[i + 1], i == 0);
	}
	return true;
}

bool own_files_init(struct own_files *files, const char *path, const struct poolset *set)
{
	struct poolset *own = NULL;
	bool is_complete;

	*files = (struct own_files){.path = path,
				    .mode = 0666,
				    .others = 06,
				    .gid = (gid_t)-1,
				    .is_one_group = true};
	if (!set && poolset_load_again(path, &own) < 0) {
		tool_complain("%s", errormsg_get());
		return false;
	}
	is_complete = add_files(files, set ? set : own);
	if (!set)
		poolset_free(own);
	if (!is_complete)
		own_files_fini(files);
	return is_complete;
}

void own_files_fini(struct own_files *files)
{
	free(files->file);
}

bool own_files_has(const struct own_files *files, const struct stat *st)
{
	for (size_t i = 0; i < files->n; i++) {
		const struct stat *file = &files->file[i];

		if (file->st_dev == st->st_dev && file->st_ino == st->st_ino)
			return true;
		if (S_ISCHR(st->st_mode) && S_ISCHR(file->st_mode) &&
		    st->st_rdev == file->st_rdev)
			return true;
	}
	return false;
}

enum own_files_answer own_files_look(const struct own_files *files, int fd,
				     const struct stat *st)
{
	struct stat behind;
	int ret;

	if (own_files_has(files, st))
		return OWN_FILES_YES;
	ret = S_ISBLK(st->st_mode) ? loop_find(fd, st->st_rdev, &behind) : 0;
	if (ret < 0) {
		errno = -ret;
		return OWN_FILES_UNKNOWN;
	}
	return ret > 0 && own_files_has(files, &behind) ? OWN_FILES_YES : OWN_FILES_NO;
}

void own_files_complain(const struct own_files *files, enum own_files_answer answer,
			const char *name)
{
	if (answer == OWN_FILES_YES)
		tool_complain("%s is the pool itself, or a file of it: %s is not "
			      "copied into itself",
			      name, files->path);
	else
		tool_complain("%s is a loop device, and the kernel does not tell which "
			      "file is behind it: %s; it may be a file of %s",
			      name, strerror(errno), files->path);
}
