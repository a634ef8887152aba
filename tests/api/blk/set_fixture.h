/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools of several files, in a folder of the case's own: the set file "set" and its parts. */
#ifndef SET_FIXTURE_H
#define SET_FIXTURE_H 1

#include <libpmemblk.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

static char *set_dir;

static inline int set_make_dir(void **state)
{
	(void)state;
	assert_true(asprintf(&set_dir, "%s/set.XXXXXX", support_tmpdir(true)) > 0);
	assert_non_null(mkdtemp(set_dir));
	return 0;
}

static inline int set_drop_dir(void **state)
{
	char command[4200];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", set_dir);
	assert_int_equal(system(command), 0);
	free(set_dir);
	return 0;
}

/* "<folder of the test>/<name>"; later calls overwrite it. */
static inline const char *set_path(const char *name)
{
	static char *paths[16];
	static unsigned n;
	char **path = &paths[n++ % 16];

	free(*path);
	assert_true(asprintf(path, "%s/%s", set_dir, name) > 0);
	return *path;
}

static inline bool set_part_exists(const char *name)
{
	return access(set_path(name), F_OK) == 0;
}

/* Writes the set file "set"; each '@' of the text becomes the folder. */
static inline void set_write(const char *text)
{
	FILE *f = fopen(set_path("set"), "w");

	assert_non_null(f);
	fputs("PMEMPOOLSET\n", f);
	for (; *text; text++)
		if (*text == '@')
			fputs(set_dir, f);
		else
			fputc(*text, f);
	assert_int_equal(fclose(f), 0);
}

static inline PMEMblkpool *set_create(const char *text, size_t bsize)
{
	PMEMblkpool *p;

	set_write(text);
	p = pmemblk_create(set_path("set"), bsize, 0, 0644);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

/* The call must have failed, with this errno and a message that holds word. */
static inline void set_assert_refused(PMEMblkpool *p, int err, const char *word)
{
	int found = errno;

	if (p)
		fail_msg("accepted, but %s was expected (%s)", strerror(err), word);
	if (found != err || !strstr(pmemblk_errormsg(), word))
		fail_msg("%s, not %s: %s (%s)", strerror(found), strerror(err),
			 pmemblk_errormsg(), word);
}

static inline void set_assert_create_refused(const char *text, int err, const char *word)
{
	set_write(text);
	errno = 0;
	set_assert_refused(pmemblk_create(set_path("set"), 512, 0, 0644), err, word);
}

#define SET_CASE(f) cmocka_unit_test_setup_teardown(f, set_make_dir, set_drop_dir)

#endif
