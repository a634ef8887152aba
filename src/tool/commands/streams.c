/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/streams.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/own_files.h"
#include "commands/set_text.h"
#include "commands/tool.h"
#include "poolset/load.h"

/* --- the search ------------------------------------------------------------------------ */

/* Looks for the file of a stream among the files of a pool. */
struct search {
	int fd;
	struct stat st; /* of the stream */
	enum own_files_answer answer;
	int error; /* what kept it from looking everywhere; 0: nothing */
};

/* What is not there, or cannot be reached, is no reason to stop: the command says so. */
static void note_error(struct search *s, int error)
{
	switch (error) {
	case 0:
	case ENOENT:
	case ENOTDIR:
	case EACCES:
	case EPERM:
	case ELOOP:
	case ENAMETOOLONG:
		break;
	default:
		s->error = error;
	}
}

static void compare(struct search *s, const char *name, struct stat *st)
{
	const struct own_files one = {.path = name, .n = 1, .file = st};
	enum own_files_answer answer;

	if (s->answer == OWN_FILES_YES)
		return;
	answer = own_files_look(&one, s->fd, &s->st);
	if (answer != OWN_FILES_NO)
		s->answer = answer;
}

/*
 * The stream may have been opened by somebody with more rights: by root, who then started the command as
 * another user. Then only its name tells which file it is.
 */
static void compare_name(struct search *s, const char *name)
{
	char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	char path[PATH_MAX];
	const char *own = strrchr(name, '/');
	const char *other;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", s->fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	other = strrchr(path, '/');
	if (other && strcmp(other + 1, own ? own + 1 : name) == 0)
		s->answer = OWN_FILES_YES;
}

static void note_missing(struct search *s, const char *name, int error)
{
	if (error == EACCES)
		compare_name(s, name);
	note_error(s, error);
}

/* A set may list directories. */
static void look_into(struct search *s, const char *name)
{
	DIR *d = opendir(name);

	while (d) {
		const struct dirent *entry;
		struct stat st;

		errno = 0;
		entry = readdir(d);
		if (!entry)
			break;
		if (!poolset_is_part_name(entry->d_name))
			continue;
		if (fstatat(dirfd(d), entry->d_name, &st, 0) == 0)
			compare(s, entry->d_name, &st);
		else
			note_missing(s, entry->d_name, errno);
	}
	note_error(s, errno);
	if (d)
		closedir(d);
}

static void look_at(void *arg, const char *name)
{
	struct search *s = arg;
	struct stat st;

	if (stat(name, &st) != 0) {
		note_missing(s, name, errno);
		return;
	}
	compare(s, name, &st);
	if (S_ISDIR(st.st_mode))
		look_into(s, name);
}

/* Only files and disks keep what is printed to them. */
static void look_for(struct search *s, int fd, const char *pool)
{
	struct stat st;

	*s = (struct search){.fd = fd, .answer = OWN_FILES_NO};
	if (fstat(fd, &s->st) != 0) {
		s->error = errno == EBADF ? 0 : errno;
		return;
	}
	if (!S_ISREG(s->st.st_mode) && !S_ISBLK(s->st.st_mode))
		return;
	if (stat(pool, &st) != 0) {
		note_missing(s, pool, errno);
		return;
	}
	compare(s, pool, &st);
	if (s->answer != OWN_FILES_YES && S_ISREG(st.st_mode))
		note_error(s, -set_text_each(pool, look_at, s));
}

/* --- what is printed ------------------------------------------------------------------- */

static char *const *words; /* each may be the pool; NULL: it is known */
static bool is_guarded;	   /* they were compared with the standard error */
static bool is_silent;

/* Nothing else gets the number of the descriptor. */
static void silence(void)
{
	close(STDERR_FILENO);
	if (open("/dev/null", O_WRONLY) < 0)
		open("/", O_PATH); /* if there is no /dev */
	is_silent = true;
}

static void guard_error(const char *pool, int *error)
{
	struct search s;

	look_for(&s, STDERR_FILENO, pool);
	if (s.answer != OWN_FILES_NO)
		silence();
	else
		*error = s.error;
}

static bool guard_output(const char *pool, int *error)
{
	struct search s;

	look_for(&s, STDOUT_FILENO, pool);
	if (s.answer != OWN_FILES_NO) {
		tool_complain("the standard output is %s: what is printed would be "
			      "written over it",
			      s.answer == OWN_FILES_YES
				  ? "the pool itself, or a file of it"
				  : "a loop device on an unknown file, perhaps one of "
				    "the pool");
		return false;
	}
	if (s.error)
		*error = s.error;
	return true;
}

void streams_begin(char *const *line)
{
	words = line;
}

void streams_guard_error(void)
{
	int error;

	if (is_guarded)
		return;
	is_guarded = true;
	for (char *const *w = words; w && *w && !is_silent; w++)
		guard_error(*w, &error);
}

bool streams_guard_output(void)
{
	int error;

	for (char *const *w = words; w && *w; w++)
		if (!guard_output(*w, &error))
			return false;
	return true;
}

bool streams_check(const char *pool)
{
	int error = 0;
	bool ok;

	words = NULL;
	guard_error(pool, &error);
	ok = guard_output(pool, &error);
	if (ok && error)
		tool_complain("cannot find out whether what is printed would be written "
			      "over %s: %s",
			      pool, strerror(error));
	return ok && !error && !is_silent;
}

bool streams_are_silent(void)
{
	return is_silent;
}
