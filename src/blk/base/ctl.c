/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/ctl.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "errormsg.h"

#define DEPTH 2

static struct {
	const char *name[DEPTH];
	_Atomic(int) value; /* relaxed: values are independent of each other */
} settings[CTL_COUNT] = {
    [CTL_PREFAULT_AT_CREATE] = {{"prefault", "at_create"}, 0},
    [CTL_PREFAULT_AT_OPEN] = {{"prefault", "at_open"}, 0},
    [CTL_SDS_AT_CREATE] = {{"sds", "at_create"}, 1},
    [CTL_FALLOCATE_AT_CREATE] = {{"fallocate", "at_create"}, 1},
    [CTL_COPY_ON_WRITE_AT_OPEN] = {{"copy_on_write", "at_open"}, 0},
    [CTL_SIGBUS_CATCH] = {{"sigbus", "catch"}, 0},
    [CTL_LOCK_WAIT] = {{"lock", "wait"}, 0},
};

/* The others are switches, which take any number. */
static bool is_time(int setting)
{
	return setting == CTL_LOCK_WAIT;
}

int ctl_value(enum ctl_setting setting)
{
	return atomic_load_explicit(&settings[setting].value, memory_order_relaxed);
}

/* Returns the length of the next component of a dotted name, 0 at the end. Moves *p behind it. */
static size_t next_component(const char **p, const char **start)
{
	size_t len;

	*p += strspn(*p, ".");
	*start = *p;
	len = strcspn(*p, ".");
	*p += len;
	return len;
}

/*
 * Compares a name with that of an entry. Returns the number of components that agree; *more
 * receives the number of components of the name that follow these.
 */
static int match(const char *name, int setting, int *more)
{
	int agree = 0;
	const char *start;
	size_t len;

	*more = 0;
	while ((len = next_component(&name, &start)) != 0) {
		const char *want = agree < DEPTH ? settings[setting].name[agree] : "";

		if (*more == 0 && strlen(want) == len && memcmp(want, start, len) == 0)
			agree++;
		else
			++*more;
	}
	return agree;
}

static int find(const char *name, int *setting)
{
	if (!name)
		return errormsg_fail(EINVAL, "no ctl name given");
	for (int i = 0; i < CTL_COUNT; i++) {
		int more;

		if (match(name, i, &more) < DEPTH)
			continue;
		if (more)
			return errormsg_fail(
			    ENOTDIR, "ctl name '%s' goes on below the entry '%s.%s'",
			    name, settings[i].name[0], settings[i].name[1]);
		*setting = i;
		return 0;
	}
	return errormsg_fail(ENOENT, "there is no ctl entry '%s'", name);
}

int ctl_get(const char *name, int *value)
{
	int setting;
	int ret = find(name, &setting);

	if (ret == 0 && !value)
		ret = errormsg_fail(EINVAL, "no place given for the value of '%s'", name);
	if (ret == 0)
		*value = ctl_value((enum ctl_setting)setting);
	return ret;
}

int ctl_set(const char *name, const int *value)
{
	int setting;
	int ret = find(name, &setting);

	if (ret == 0 && !value)
		ret = errormsg_fail(EINVAL, "no value given for '%s'", name);
	if (ret == 0 && is_time(setting) && *value < -1)
		ret = errormsg_fail(EINVAL,
				    "ctl entry '%s' takes milliseconds, or -1, not %d",
				    name, *value);
	if (ret == 0)
		atomic_store_explicit(&settings[setting].value, *value,
				      memory_order_relaxed);
	return ret;
}

int ctl_exec(const char *name)
{
	int setting;
	int ret = find(name, &setting);

	if (ret == 0)
		return errormsg_fail(EINVAL, "ctl entry '%s' cannot be executed", name);
	return ret;
}

static bool parse_switch(const char *text, int *value)
{
	if (!*text || !strchr("yY1nN0", *text))
		return false;
	*value = strchr("yY1", *text) != NULL;
	return true;
}

/* "-1", or digits that make an int. */
static bool parse_time(const char *text, int *value)
{
	int n = 0;

	*value = -1;
	if (strcmp(text, "-1") == 0)
		return true;
	if (!*text || text[strspn(text, "0123456789")])
		return false;
	for (; *text; text++) {
		int digit = *text - '0';

		if (n > (INT_MAX - digit) / 10)
			return false;
		n = 10 * n + digit;
	}
	*value = n;
	return true;
}

int ctl_set_text(const char *name, const char *text)
{
	int value;
	int setting;
	int ret = find(name, &setting);

	if (ret < 0)
		return ret;
	if (is_time(setting) && !parse_time(text, &value))
		return errormsg_fail(EINVAL,
				     "ctl entry '%s' takes milliseconds, or -1, not '%s'",
				     name, text);
	if (!is_time(setting) && !parse_switch(text, &value))
		return errormsg_fail(EINVAL,
				     "ctl entry '%s' takes y, Y, 1, n, N or 0, not '%s'",
				     name, text);
	return ctl_set(name, &value);
}
