/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pmem_stream FILE write		stores standard input in FILE
 * pmem_stream FILE read [OFFSET]	prints what is stored, from OFFSET on
 *
 * A stdio stream over a mapped file: fprintf, fread, fseek and all other functions work on it.
 * When fclose returns 0, everything written is durable. If fclose fails, the file is as it was
 * before.
 */
#define _GNU_SOURCE /* fopencookie */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpmem.h>

#define CAPACITY ((size_t)1 << 20)

/*
 * The file holds two texts; `current` names the valid one. A stream for writing fills the other
 * one, and fclose makes that the valid one with one store of 8 bytes.
 */
struct file {
	uint64_t current; /* 2 * length + text number */
	char text[2][CAPACITY];
};

struct stream {
	struct file *file;
	size_t mapped_len;
	int is_pmem;
	int writing;
	int failed; /* a write was not complete: the old text stays */
	char *text;
	size_t len;
	size_t pos;
};

static ssize_t stream_read(void *cookie, char *buf, size_t size)
{
	struct stream *s = cookie;
	size_t n = s->pos < s->len ? s->len - s->pos : 0;

	if (n > size)
		n = size;
	memcpy(buf, s->text + s->pos, n);
	s->pos += n;
	return (ssize_t)n;
}

static ssize_t stream_write(void *cookie, const char *buf, size_t size)
{
	struct stream *s = cookie;

	if (s->pos > CAPACITY || size > CAPACITY - s->pos) {
		s->failed = 1;
		errno = ENOSPC;
		return 0;
	}
	/* A gap left by fseek reads as zeros. */
	if (s->pos > s->len)
		pmem_memset_nodrain(s->text + s->len, 0, s->pos - s->len);
	pmem_memcpy_nodrain(s->text + s->pos, buf, size);
	s->pos += size;
	if (s->pos > s->len)
		s->len = s->pos;
	return (ssize_t)size;
}

static int stream_seek(void *cookie, off64_t *offset, int whence)
{
	struct stream *s = cookie;
	off64_t base = whence == SEEK_SET   ? 0
		       : whence == SEEK_CUR ? (off64_t)s->pos
					    : (off64_t)s->len;

	if (*offset < -base || base + *offset > (off64_t)CAPACITY) {
		errno = EINVAL;
		return -1;
	}
	*offset += base;
	s->pos = (size_t)*offset;
	return 0;
}

/* Makes a range durable, and all earlier copies that were not drained. */
static int persist(const struct stream *s, const void *addr, size_t len)
{
	if (!s->is_pmem)
		return pmem_msync(addr, len);
	pmem_persist(addr, len);
	return 0;
}

static int stream_close(void *cookie)
{
	struct stream *s = cookie;
	uint64_t current = 2 * (uint64_t)s->len + (s->text == s->file->text[1]);
	int ret = 0;

	if (s->failed) {
		errno = EIO;
		ret = -1;
	} else if (s->writing) {
		ret = persist(s, s->text, s->len);
		if (ret == 0) {
			pmem_memcpy(&s->file->current, &current, sizeof(current),
				    PMEM_F_MEM_NOFLUSH);
			ret = persist(s, &s->file->current, sizeof(current));
		}
	}
	pmem_unmap(s->file, s->mapped_len);
	free(s);
	return ret;
}

/* Like fopen for the modes "r" and "w". */
static FILE *pmem_fopen(const char *path, const char *mode)
{
	cookie_io_functions_t io = {stream_read, stream_write, stream_seek, stream_close};
	struct stream *s = calloc(1, sizeof(*s));
	uint64_t current;
	FILE *stream;

	if (!s)
		return NULL;
	s->writing = mode[0] == 'w';
	s->file = pmem_map_file(path, s->writing ? sizeof(*s->file) : 0,
				s->writing ? PMEM_FILE_CREATE : 0, 0666, &s->mapped_len,
				&s->is_pmem);
	if (!s->file) {
		free(s);
		return NULL;
	}
	current = s->mapped_len == sizeof(*s->file) ? s->file->current : UINT64_MAX;
	if (current / 2 > CAPACITY) {
		pmem_unmap(s->file, s->mapped_len);
		free(s);
		errno = EINVAL;
		return NULL;
	}
	s->text = s->file->text[s->writing ? 1 - current % 2 : current % 2];
	s->len = s->writing ? 0 : (size_t)(current / 2);
	stream = fopencookie(s, mode, io);
	if (!stream)
		stream_close(s);
	return stream;
}

static int copy(FILE *from, FILE *to)
{
	char buf[4096];
	size_t n;

	while ((n = fread(buf, 1, sizeof(buf), from)) > 0)
		if (fwrite(buf, 1, n, to) != n)
			return -1;
	return ferror(from) ? -1 : 0;
}

int main(int argc, char **argv)
{
	int writing = argc == 3 && !strcmp(argv[2], "write");
	FILE *stream;
	int ret;

	if (!writing && !(argc >= 3 && argc <= 4 && !strcmp(argv[2], "read"))) {
		fprintf(stderr, "usage: %s FILE write | read [OFFSET]\n", argv[0]);
		return 2;
	}
	stream = pmem_fopen(argv[1], writing ? "w" : "r");
	if (!stream) {
		perror(argv[1]);
		return 1;
	}
	if (writing)
		ret = copy(stdin, stream);
	else
		ret = argc == 4 && fseek(stream, atol(argv[3]), SEEK_SET) != 0
			  ? -1
			  : copy(stream, stdout);
	if (ret != 0)
		perror(argv[1]);
	if (fclose(stream) != 0) {
		perror(argv[1]);
		ret = -1;
	}
	return ret != 0;
}
