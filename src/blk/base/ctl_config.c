/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/ctl_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ctl.h"
#include "errormsg.h"
#include "file.h"

/* Why the configuration is invalid; "" if it is valid. Written before main() only. */
static char complaint[1024];
static bool permits_avx512;

static int bad_query(const char *query, size_t len)
{
	return errormsg_fail(EINVAL, "'%.*s' is not of the form name=value",
			     len < 200 ? (int)len : 200, query);
}

static int apply_query(char *query)
{
	size_t len = strlen(query);
	char *rest = query;
	char *name = NULL;
	char *value = NULL;
	char *text;
	int ret;

	/* There must be exactly two non-empty pieces around the '='. */
	for (;;) {
		char *piece = rest + strspn(rest, "=");
		size_t n = strcspn(piece, "=");

		if (n == 0)
			break;
		if (!name)
			name = piece;
		else if (!value)
			value = piece;
		else
			return bad_query(query, strlen(query));
		rest = piece + n;
	}
	if (!name || !value)
		return bad_query(query, len);
	name[strcspn(name, "=")] = '\0';
	value[strcspn(value, "=")] = '\0';
	text = value + strspn(value, ",");
	text[strcspn(text, ",")] = '\0';
	ret = ctl_set_text(name, text);
	if (ret == -ENOTDIR)
		return -EINVAL; /* the message is set */
	return 0;
}

int ctl_config_apply(char *text)
{
	while (text) {
		char *end = strchr(text, ';');
		int ret;

		if (end)
			*end++ = '\0';
		ret = *text ? apply_query(text) : 0;
		if (ret < 0)
			return ret;
		text = end;
	}
	return 0;
}

void ctl_config_strip(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		if (*in == '#')
			in += strcspn(in, "\n");
		if (!*in)
			break;
		if (!strchr(" \t\n\v\f\r", *in))
			*out++ = *in;
	}
	*out = '\0';
}

int ctl_config_apply_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text;
	ssize_t n;
	int ret;

	if (fd < 0)
		return errormsg_fail_sys(errno, "cannot open %s", path);
	text = alloc_zeroed(CTL_CONFIG_MAX + 2);
	if (!text) {
		close(fd);
		return errormsg_fail(ENOMEM, "out of memory for %s", path);
	}
	n = file_read(fd, text, CTL_CONFIG_MAX + 1);
	close(fd);
	if (n < 0) {
		ret = errormsg_fail_sys((int)-n, "cannot read %s", path);
	} else if (n > (ssize_t)CTL_CONFIG_MAX) {
		ret = errormsg_fail(EINVAL, "%s is longer than %u bytes", path,
				    CTL_CONFIG_MAX);
	} else {
		ctl_config_strip(text);
		ret = ctl_config_apply(text);
	}
	alloc_free(text);
	return ret;
}

static void complain(const char *where)
{
	snprintf(complaint, sizeof(complaint), "%s: %s", where, errormsg_get());
}

static bool is_set_to(const char *name, const char *value)
{
	const char *text = secure_getenv(name);

	return text && strcmp(text, value) == 0;
}

bool ctl_config_permits_avx512(void)
{
	return permits_avx512;
}

void ctl_config_load(void)
{
	const char *text = secure_getenv("PMEMBLK_CONF");
	const char *path = secure_getenv("PMEMBLK_CONF_FILE");

	permits_avx512 =
	    !is_set_to("PMEM_AVX512F", "0") && !is_set_to("PMEM_NO_MOVNT", "1");
	if (text) {
		char *copy = alloc_strdup(text);
		int ret = copy ? ctl_config_apply(copy)
			       : errormsg_fail(ENOMEM, "out of memory");

		if (ret < 0)
			complain("PMEMBLK_CONF");
		alloc_free(copy);
	}
	if (path && *path && !complaint[0] && ctl_config_apply_file(path) < 0)
		complain("PMEMBLK_CONF_FILE");
}

int ctl_config_check(void)
{
	if (complaint[0])
		return errormsg_fail(EINVAL, "%s", complaint);
	return 0;
}
