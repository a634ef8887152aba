/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/set_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "poolset/parse.h"

struct scan {
	void (*look)(void *arg, const char *name);
	void *arg;
	char word[PATH_MAX]; /* a longer one is no name */
	size_t len;
	bool is_comment;
};

static void end_word(struct scan *s)
{
	size_t len = s->len;

	s->len = 0;
	if (len == 0 || len == sizeof(s->word) || s->word[0] != '/')
		return;
	s->word[len] = '\0';
	s->look(s->arg, s->word);
}

static void add(struct scan *s, char c)
{
	switch (c) {
	case '\n':
		if (s->len > 0 && s->word[s->len - 1] == '\r')
			s->len--;
		end_word(s);
		s->is_comment = false;
		break;
	case '#':
		s->is_comment = true;
		end_word(s);
		break;
	case ' ':
	case '\t':
	case '\0':
		end_word(s);
		break;
	default:
		if (!s->is_comment && s->len < sizeof(s->word))
			s->word[s->len++] = c;
	}
}

static int MUST_CHECK scan_file(struct scan *s, int fd)
{
	char buf[4096];
	ssize_t n = file_read(fd, buf, POOLSET_SIGNATURE_LEN);

	if (n < 0)
		return (int)n;
	if (n < POOLSET_SIGNATURE_LEN ||
	    memcmp(buf, POOLSET_SIGNATURE, POOLSET_SIGNATURE_LEN) != 0)
		return 0;
	while ((n = file_read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			add(s, buf[i]);
	end_word(s);
	return (int)n;
}

int set_text_each(const char *path, void (*look)(void *arg, const char *name), void *arg)
{
	struct scan s = {.look = look, .arg = arg};
	/* If the file has become a fifo meanwhile, the open must not wait. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		ret = -errno;
	else if (S_ISREG(st.st_mode))
		ret = scan_file(&s, fd);
	close(fd);
	return ret;
}
