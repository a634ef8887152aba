/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs each row of errno.csv, which was recorded with the original, on this library. The result
 * must be the same, except for the rows of the table below, which gives the reasons.
 */
#include <libpmemblk.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conditions.h"
#include "support.h"
#include "vectors.h"

#define NOBODY 65534

static int fallocate_err;

/* Also replaces the library's calls. It imitates a full disk. */
SUPPORT_INTERPOSE int posix_fallocate(int fd, off_t off, off_t len)
{
	static int (*real)(int, off_t, off_t);

	if (fallocate_err)
		return fallocate_err;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "posix_fallocate");
	return real(fd, off, len);
}

/* Rows in which this library differs on purpose. */
static const struct difference {
	const char *call;
	const char *condition;
	const char *result;
	const char *err;
	const char *why;
} differences[] = {
    {"create", "AUTO size on existing regular file (errno not set)", "NULL", "EINVAL",
     "an error has an errno"},
    {"open", "0-byte file (library crashes)", "NULL", "EINVAL", "no crash"},
    {"check", "0-byte file (library crashes)", "-1", "EINVAL", "no crash"},
    {"open", "BTT ext_lbasize != descriptor bsize", "handle", "", "the copy is good"},
    {"check", "BTT ext_lbasize != descriptor bsize", "0", "", "damage is found"},
    {"open", "BTT nfree=0", "handle", "", "the copy is good"},
    {"check", "BTT nfree=0", "0", "", "damage is found"},
    {"open", "BTT ext_nlba=0", "handle", "", "the copy is good"},
    {"check", "BTT ext_nlba=0", "0", "", "damage is found"},
    {"open", "BTT nextoff not 0 / not 2^39", "handle", "", "the copy is good"},
    {"check", "BTT nextoff not 0 / not 2^39", "0", "", "damage is found"},
    {"check", "BTT info signature/checksum/parent bad (treated as unformatted)", "0", "",
     "damage is found"},
    {"check", "map entry >= int_nlba", "0", "", "damage is found"},
    {"check", "no write permission", "1", "", "checking only reads"},
    {"read", "map entry points past the data area", "-1", "EIO",
     "damage, not an argument"},
    {"write", "map entry points past the data area", "-1", "EIO", "nothing is followed"},
    {"set_zero", "map entry points past the data area", "-1", "EIO",
     "nothing is followed"},
    {"set_error", "map entry points past the data area", "-1", "EIO",
     "nothing is followed"},
};

static const struct {
	const char *name;
	int value;
} errnos[] = {
    {"", 0},
    {"0", 0},
    {"EINVAL", EINVAL},
    {"EEXIST", EEXIST},
    {"ENOENT", ENOENT},
    {"ENOTDIR", ENOTDIR},
    {"EAGAIN", EAGAIN},
    {"ENOSPC", ENOSPC},
    {"EFBIG", EFBIG},
    {"EACCES", EACCES},
    {"EOPNOTSUPP", EOPNOTSUPP},
    {"EROFS", EROFS},
    {"EIO", EIO},
};

static int errno_of(const char *name)
{
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		if (strcmp(errnos[i].name, name) == 0)
			return errnos[i].value;
	fail_msg("errno %s is not known to the test", name);
	return 0;
}

/* --- running ------------------------------------------------------------------------------ */

struct outcome {
	char result[16];
	int err;
	bool names_file; /* whether the message of a failed call names the file */
};

static struct outcome pointer_outcome(PMEMblkpool *p)
{
	struct outcome o = {.err = p ? 0 : errno};

	strcpy(o.result, p ? "handle" : "NULL");
	if (p)
		pmemblk_close(p);
	return o;
}

static struct outcome int_outcome(int ret)
{
	struct outcome o = {.err = ret < 0 ? errno : 0};

	snprintf(o.result, sizeof(o.result), "%d", ret);
	return o;
}

static struct outcome block_call(const char *call, const struct conditions_env *e)
{
	PMEMblkpool *p = pmemblk_open(e->path, 0);
	char buf[512] = "new";
	struct outcome o;

	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	errno = 0;
	if (strcmp(call, "read") == 0)
		o = int_outcome(pmemblk_read(p, buf, e->blockno));
	else if (strcmp(call, "write") == 0)
		o = int_outcome(pmemblk_write(p, buf, e->blockno));
	else if (strcmp(call, "set_zero") == 0)
		o = int_outcome(pmemblk_set_zero(p, e->blockno));
	else
		o = int_outcome(pmemblk_set_error(p, e->blockno));
	pmemblk_close(p);
	return o;
}

static struct outcome call_it(const char *call, const struct conditions_env *e)
{
	if (strcmp(call, "create") == 0)
		return pointer_outcome(
		    pmemblk_create(e->path, e->bsize, e->poolsize, 0644));
	if (strcmp(call, "open") == 0)
		return pointer_outcome(pmemblk_open(e->path, e->bsize));
	if (strcmp(call, "check") == 0)
		return int_outcome(pmemblk_check(e->path, e->bsize));
	return block_call(call, e);
}

/* Each row has a folder of its own, so that the message of another row does not pass. */
static struct outcome do_call(const char *call, const struct conditions_env *e)
{
	struct outcome o = call_it(call, e);

	/*
	 * The message of a bad block size must be exactly this, because scripts match the whole
	 * line.
	 */
	if ((e->bsize == 0 || e->bsize > UINT32_MAX) && strcmp(call, "create") == 0) {
		char text[64];

		snprintf(text, sizeof(text), "Invalid block size %zu", e->bsize);
		o.names_file = strcmp(pmemblk_errormsg(), text) == 0;
		return o;
	}
	o.names_file = o.err == 0 || strstr(pmemblk_errormsg(), conditions_dir) ||
		       strstr(pmemblk_errormsg(), e->path);
	return o;
}

/* In a child that has dropped its privileges, because the test may run as root. */
static struct outcome do_call_as_nobody(const char *call, const struct conditions_env *e)
{
	struct outcome o;
	int fds[2];
	pid_t pid;

	assert_int_equal(chmod(conditions_dir, 0555), 0);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0)
			_exit(1);
		o = do_call(call, e);
		_exit(write(fds[1], &o, sizeof(o)) != sizeof(o));
	}
	assert_int_equal(read(fds[0], &o, sizeof(o)), sizeof(o));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(chmod(conditions_dir, 0755), 0);
	return o;
}

/* Returns whether the result of the row is right. */
static bool run_row(unsigned number, const char *call, const char *text,
		    const char *result, const char *err)
{
	conditions_setup *setup = conditions_find(call, text);
	struct conditions_env e = {.bsize = 512, .poolsize = CONDITIONS_POOL_SIZE};
	PMEMblkpool *held = NULL;
	const char *message;
	struct outcome o;
	bool good;

	if (!setup)
		fail_msg("row %u: no setup for %s, %s", number, call, text);
	for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++)
		if (strcmp(differences[i].call, call) == 0 &&
		    strcmp(differences[i].condition, text) == 0) {
			result = differences[i].result;
			err = differences[i].err;
		}
	conditions_enter(number);
	e.path = conditions_path("pool");
	setup(&e);
	if (e.keep_open) {
		held = pmemblk_open(e.path, 0);
		assert_non_null(held);
	}
	fallocate_err = e.fallocate_err;
	errno = 0;
	o = e.as_nobody ? do_call_as_nobody(call, &e) : do_call(call, &e);
	fallocate_err = 0;
	good = strcmp(o.result, result) == 0 && o.err == errno_of(err);
	message = pmemblk_errormsg();
	if (!good)
		print_message("row %u, %s, %s: %s/%s expected, %s/%s found: %s\n", number,
			      call, text, result, err, o.result, strerror(o.err),
			      message);
	if (!o.names_file) {
		print_message("row %u, %s, %s: no file is named: %s\n", number, call,
			      text, message);
		good = false;
	}
	/* A failed create leaves no pool behind. */
	if (strcmp(call, "create") == 0 && !e.keep_open &&
	    access(conditions_path("a"), F_OK) == 0 && strstr(text, "existing") == NULL) {
		print_message("row %u, %s: a part was left behind\n", number, text);
		good = false;
	}
	if (held)
		pmemblk_close(held);
	conditions_leave();
	return good;
}

static void every_row_of_errno_csv_holds(void **state)
{
	struct vectors v;
	unsigned bad = 0;

	(void)state;
	vectors_open(&v, "errno.csv", ',', 4);
	while (vectors_next(&v))
		if (!run_row(v.nrow, v.field[0], v.field[1], v.field[2], v.field[3]))
			bad++;
	vectors_close(&v, 140);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_of_errno_csv_holds),
	};

	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
