/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/wait.h"

#include <limits.h>
#include <string.h>

#include <libpmemblk.h>

#include "base/ctl.h"
#include "commands/tool.h"
#include "errormsg.h"

#define SETTING "lock.wait"

bool wait_begin(void)
{
	int value;

	if (pmemblk_ctl_get(NULL, SETTING, &value) != 0) {
		tool_complain("%s", pmemblk_errormsg());
		return false;
	}
	if (ctl_set(SETTING, &value) == 0)
		return true;
	tool_complain("%s", errormsg_get());
	return false;
}

/* Seconds, with a fraction of which milliseconds count. */
static bool parse(const char *text, int *ms)
{
	const char *c = text;
	long long n = 0;
	unsigned unit = 1000;

	if (strcmp(text, "-1") == 0) {
		*ms = -1;
		return true;
	}
	if (*c < '0' || *c > '9')
		return false;
	for (; *c >= '0' && *c <= '9' && n <= INT_MAX; c++)
		n = n * 10 + (*c - '0') * 1000;
	if (*c == '.' && c[1] >= '0' && c[1] <= '9')
		for (c++; *c >= '0' && *c <= '9'; c++) {
			unit /= 10;
			n += (*c - '0') * (long long)unit;
		}
	*ms = (int)n;
	return !*c && n <= INT_MAX;
}

bool wait_set(const char *text)
{
	int ms;

	return parse(text, &ms) && pmemblk_ctl_set(NULL, SETTING, &ms) == 0 &&
	       ctl_set(SETTING, &ms) == 0;
}
