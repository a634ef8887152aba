/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of the repair tests to make, damage and compare pool files. The pools have one arena.
 */
#ifndef POOL_FILE_H
#define POOL_FILE_H 1

#include "support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "btt/flog.h"
#include "btt/geometry.h"
#include "btt/map.h"

#define ARENA ((uint64_t)8192)

/* A file in memory, and the geometry of the sound pool. */
struct pool_file {
	unsigned char *p;
	size_t len;
	struct btt_geometry geo;
};

static inline uint64_t map_off(const struct pool_file *f, uint32_t i)
{
	return ARENA + f->geo.map_arena_off + (uint64_t)i * BTT_MAP_ENTRY_SIZE;
}

static inline uint64_t slot_off(const struct pool_file *f, unsigned n)
{
	return ARENA + f->geo.flog_arena_off + (uint64_t)n * BTT_FLOG_SLOT_SIZE;
}

/* The place of record i of a slot. */
static inline uint64_t record_off(const struct pool_file *f, unsigned n, int i)
{
	return slot_off(f, n) + (uint64_t)i * sizeof(struct btt_flog_record_media);
}

static inline uint64_t copy_off(const struct pool_file *f)
{
	return ARENA + f->geo.info_arena_off;
}

static inline uint32_t get32(const struct pool_file *f, uint64_t off)
{
	le32 v = {0};

	if (off + sizeof(v) <= f->len)
		memcpy(&v, f->p + off, sizeof(v));
	return le32_to_cpu(v);
}

/* Bytes behind the end of the file are not stored. */
static inline void put_bytes(struct pool_file *f, uint64_t off, const void *bytes,
			     size_t n)
{
	if (off < f->len)
		memcpy(f->p + off, bytes, f->len - off < n ? f->len - off : n);
}

static inline void put32(struct pool_file *f, uint64_t off, uint32_t value)
{
	le32 v = cpu_to_le32(value);

	put_bytes(f, off, &v, sizeof(v));
}

/* A map entry; an initial one in the form of a written one. */
static inline uint32_t get_entry(const struct pool_file *f, uint32_t i)
{
	return btt_map_normalize(get32(f, map_off(f, i)), i);
}

static inline void get_slot(const struct pool_file *f, unsigned n,
			    struct btt_flog_record record[2])
{
	btt_flog_decode((const void *)(f->p + slot_off(f, n)), record);
}

static inline void put_record(struct pool_file *f, unsigned n, int i,
			      const struct btt_flog_record *r)
{
	uint64_t off = record_off(f, n, i);

	put32(f, off, r->premap);
	put32(f, off + 4, r->old_map);
	put32(f, off + 8, r->new_map);
	put32(f, off + 12, r->seq);
}

static inline struct pool_file clone_file(const struct pool_file *f)
{
	struct pool_file copy = *f;

	copy.p = malloc(f->len + 16384);
	assert_non_null(copy.p);
	memcpy(copy.p, f->p, f->len);
	memset(copy.p + f->len, 0, 16384);
	return copy;
}

static inline void *map_path(const char *path, int flags, size_t *len)
{
	int fd = open(path, flags | O_CLOEXEC);
	struct stat st;
	void *p;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	p = mmap(NULL, *len, flags == O_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE,
		 MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	close(fd);
	return p;
}

/* Makes the file equal to f; pages that are equal already are not written. */
static inline void store_file(const char *path, const struct pool_file *f)
{
	struct stat st;
	unsigned char *p;
	size_t len;

	if (stat(path, &st) != 0) {
		support_write_file(path, f->p, f->len);
		return;
	}
	if ((size_t)st.st_size != f->len)
		assert_int_equal(truncate(path, (off_t)f->len), 0);
	p = map_path(path, O_RDWR, &len);
	for (size_t off = 0; off < len; off += 4096) {
		size_t n = len - off < 4096 ? len - off : 4096;

		if (memcmp(p + off, f->p + off, n) != 0)
			memcpy(p + off, f->p + off, n);
	}
	munmap(p, len);
}

/* Whether the file is equal to f, also in its length. */
static inline bool is_file(const char *path, const struct pool_file *f)
{
	size_t len;
	unsigned char *p = map_path(path, O_RDONLY, &len);
	bool same = len == f->len && memcmp(p, f->p, len) == 0;

	munmap(p, len);
	return same;
}

/* Reads the file, with the geometry of f. The caller frees the bytes. */
static inline struct pool_file load_file(const char *path, const struct pool_file *f)
{
	struct pool_file now = *f;

	now.p = support_read_file(path, &now.len);
	return now;
}

#endif
