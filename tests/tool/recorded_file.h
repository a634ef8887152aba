/* SPDX-License-Identifier: BSD-3-Clause */
/* A storage on a file that records its stores. */
#ifndef RECORDED_FILE_H
#define RECORDED_FILE_H 1

#include "recording.h"

#include <fcntl.h>
#include <unistd.h>

#include "pool_file.h"

/* A storage and its file. */
struct medium {
	struct storage s;
	int fd;
};

static inline uint64_t next_data_of(struct storage *s, uint64_t off, uint64_t end)
{
	off_t at = lseek(((struct medium *)s)->fd, (off_t)off, SEEK_DATA);

	return at < 0 || (uint64_t)at > end ? end : (uint64_t)at;
}

static inline void open_medium(struct medium *m, const char *path)
{
	size_t len;

	m->s = (struct storage){.ops = &recording, .next_data = next_data_of};
	m->fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(m->fd >= 0);
	m->s.base = map_path(path, O_RDWR, &len);
	m->s.size = len;
}

static inline void close_medium(struct medium *m)
{
	munmap(m->s.base, m->s.size);
	close(m->fd);
}

#endif
