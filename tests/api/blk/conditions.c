/* SPDX-License-Identifier: BSD-3-Clause */
#include "conditions.h"

#include <libpmemblk.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "support.h"

char *conditions_dir;

void conditions_enter(unsigned row)
{
	char name[32];

	snprintf(name, sizeof(name), "row%u", row);
	free(conditions_dir);
	assert_true(asprintf(&conditions_dir, "%s/%s", support_tmpdir(false), name) > 0);
	assert_int_equal(mkdir(conditions_dir, 0755), 0);
	/* The child without privileges has to be able to open it. */
	assert_int_equal(chmod(support_tmpdir(false), 0755), 0);
}

void conditions_leave(void)
{
	char command[4200];

	snprintf(command, sizeof(command), "rm -rf '%s'", conditions_dir);
	assert_int_equal(system(command), 0);
}

const char *conditions_path(const char *name)
{
	static char *paths[64];
	static unsigned n;
	char **path = &paths[n++ % 64];

	free(*path);
	assert_true(asprintf(path, "%s/%s", conditions_dir, name) > 0);
	return *path;
}

void conditions_make_pool(struct conditions_env *e)
{
	PMEMblkpool *p;

	e->path = conditions_path("pool");
	p = pmemblk_create(e->path, 512, CONDITIONS_POOL_SIZE, 0644);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	pmemblk_close(p);
}

void conditions_under_a_file(struct conditions_env *e)
{
	image_make_zero(conditions_path("file"), 1);
	e->path = conditions_path("file/pool");
}

void conditions_fifo(struct conditions_env *e)
{
	assert_int_equal(mkfifo(e->path, 0644), 0);
	e->poolsize = 0;
}

void conditions_null_device(struct conditions_env *e)
{
	e->path = "/dev/null";
	e->poolsize = 0;
}

conditions_setup *conditions_find(const char *call, const char *text)
{
	const struct condition *c = conditions_of_blocks;

	if (strcmp(call, "create") == 0)
		c = conditions_of_create;
	else if (strcmp(call, "open") == 0 || strcmp(call, "check") == 0)
		c = conditions_of_open;
	while (c->text && strcmp(c->text, text) != 0)
		c++;
	return c->setup;
}
