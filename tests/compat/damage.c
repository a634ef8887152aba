/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damages a laid-out pool in one arena by name, for the comparison of checkers.
 *
 *	damage NAME PATH	damage PATH
 *	damage list		prints the names
 */
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
#define ARENA 8192

static int fd;

static void get(uint64_t off, void *buf, size_t len)
{
	if (pread(fd, buf, len, (off_t)off) != (ssize_t)len)
		exit(1);
}

static void put(uint64_t off, const void *buf, size_t len)
{
	if (pwrite(fd, buf, len, (off_t)off) != (ssize_t)len)
		exit(1);
}

static uint32_t get32(uint64_t off)
{
	uint32_t v;

	get(off, &v, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(uint64_t off)
{
	uint64_t v;

	get(off, &v, sizeof(v));
	return le64toh(v);
}

static void put32(uint64_t off, uint32_t value)
{
	uint32_t v = htole32(value);

	put(off, &v, sizeof(v));
}

static void flip(uint64_t off)
{
	unsigned char c;

	get(off, &c, 1);
	c = (unsigned char)~c;
	put(off, &c, 1);
}

/* Stores the right checksum of the page at off; words from skip on count as zero. */
static void seal(uint64_t off, unsigned skip)
{
	unsigned char page[PAGE];
	uint32_t lo = 0;
	uint32_t hi = 0;

	get(off, page, sizeof(page));
	for (unsigned i = 0; i < PAGE; i += 4) {
		uint32_t word;

		memcpy(&word, page + i, 4);
		if (i < skip && i < PAGE - 8)
			lo += le32toh(word);
		hi += lo;
	}
	put32(off + PAGE - 8, lo);
	put32(off + PAGE - 4, hi);
}

static uint64_t map_off(unsigned i)
{
	return ARENA + get64(ARENA + 96) + 4 * i;
}

/* The map entry of the n-th block (from 0) that holds data. */
static uint64_t entry(unsigned n)
{
	for (unsigned i = 0;; i++)
		if (get32(map_off(i)) >= 0xc0000000 && n-- == 0)
			return map_off(i);
}

static uint64_t flog_off(unsigned slot)
{
	return ARENA + get64(ARENA + 104) + 64 * slot;
}

static uint64_t copy_off(void)
{
	return ARENA + get64(ARENA + 112);
}

/* The current record of a slot that was written a few times. */
static uint64_t current(unsigned slot)
{
	uint32_t a = get32(flog_off(slot) + 12);
	uint32_t b = get32(flog_off(slot) + 28);

	return flog_off(slot) + (b == a % 3 + 1 ? 16 : 0);
}

static void both_infos(unsigned field, uint32_t value)
{
	uint64_t copy = copy_off();

	put32(ARENA + field, value);
	put32(copy + field, value);
	seal(ARENA, PAGE);
	seal(copy, PAGE);
}

static void none(void)
{
}
static void header_checksum(void)
{
	flip(PAGE - 8);
}
static void header_signature(void)
{
	flip(0);
	seal(0, 2048);
}
static void header_features(void)
{
	put32(16, 0x86);
	seal(0, 2048);
}
static void header_links(void)
{
	flip(60);
	seal(0, 2048);
}
static void shutdown_state_checksum(void)
{
	flip(4024 + 56);
}
static void block_size(void)
{
	put32(PAGE, 520);
}
static void primary_checksum(void)
{
	flip(ARENA + 200);
}
static void primary_signature(void)
{
	flip(ARENA);
	seal(ARENA, PAGE);
}
static void primary_foreign(void)
{
	flip(ARENA + 32);
	seal(ARENA, PAGE);
}
static void primary_zeroed(void)
{
	static const char zero[PAGE];

	put(ARENA, zero, sizeof(zero));
}
static void copy_checksum(void)
{
	flip(copy_off() + 200);
}
static void both_checksums(void)
{
	uint64_t copy = copy_off();

	flip(ARENA + 200);
	flip(copy + 200);
}
static void both_zeroed(void)
{
	static const char zero[PAGE];
	uint64_t copy = copy_off();

	put(ARENA, zero, sizeof(zero));
	put(copy, zero, sizeof(zero));
}
static void error_flag(void)
{
	both_infos(48, 1);
}
static void wrong_nlba(void)
{
	both_infos(60, get32(ARENA + 60) - 1);
}
static void wrong_nfree(void)
{
	both_infos(72, 128);
}
static void map_out_of_range(void)
{
	put32(entry(3), 0xffffffff);
}
static void map_duplicate(void)
{
	put32(entry(3), get32(entry(4)));
}
static void map_of_free_block(void)
{
	put32(entry(3), 0xc0000000 | (get32(current(200) + 4) & 0x3fffffff));
}
static void map_zero_flag(void)
{
	put32(entry(3), 0x80000000 | (get32(entry(3)) & 0x3fffffff));
}
static void flog_same_sequence(void)
{
	put32(flog_off(200) + 12, 1);
	put32(flog_off(200) + 28, 1);
}
static void flog_sequence_zero(void)
{
	put32(flog_off(200) + 12, 0);
	put32(flog_off(200) + 28, 0);
}
static void flog_lba_out_of_range(void)
{
	put32(current(200), 0x7fffffff);
}
static void flog_old_out_of_range(void)
{
	put32(current(200) + 4, 0xbfffffff);
}
static void flog_old_duplicate(void)
{
	uint32_t other = get32(current(201) + 4);

	put32(current(200) + 4, other);
	put32(current(200) + 8, other);
}
static void unfinished_write(void)
{
	/* The map entry of the last write gets its old value back. */
	for (unsigned slot = 0; slot < 256; slot++) {
		uint64_t r = current(slot);
		uint64_t map = map_off(get32(r));

		if (get32(r + 4) != get32(r + 8) && get32(map) == get32(r + 8)) {
			put32(map, get32(r + 4));
			return;
		}
	}
	exit(1);
}
static void last_page_cut_off(void)
{
	if (ftruncate(fd, (off_t)copy_off()) != 0)
		exit(1);
}
static void flog_cut_off(void)
{
	if (ftruncate(fd, (off_t)copy_off() - PAGE) != 0)
		exit(1);
}
static void grown(void)
{
	if (ftruncate(fd, (off_t)copy_off() + 100 * PAGE) != 0)
		exit(1);
}
static void grown_and_primary_checksum(void)
{
	primary_checksum();
	grown();
}

#define NAME(f)                                                                          \
	{                                                                                \
#f, f                                                                    \
	}
static const struct {
	const char *name;
	void (*apply)(void);
} damages[] = {
    NAME(none),
    NAME(header_checksum),
    NAME(header_signature),
    NAME(header_features),
    NAME(header_links),
    NAME(shutdown_state_checksum),
    NAME(block_size),
    NAME(primary_checksum),
    NAME(primary_signature),
    NAME(primary_foreign),
    NAME(primary_zeroed),
    NAME(copy_checksum),
    NAME(both_checksums),
    NAME(both_zeroed),
    NAME(error_flag),
    NAME(wrong_nlba),
    NAME(wrong_nfree),
    NAME(map_out_of_range),
    NAME(map_duplicate),
    NAME(map_of_free_block),
    NAME(map_zero_flag),
    NAME(flog_same_sequence),
    NAME(flog_sequence_zero),
    NAME(flog_lba_out_of_range),
    NAME(flog_old_out_of_range),
    NAME(flog_old_duplicate),
    NAME(unfinished_write),
    NAME(last_page_cut_off),
    NAME(flog_cut_off),
    NAME(grown),
    NAME(grown_and_primary_checksum),
};

int main(int argc, char **argv)
{
	size_t n = sizeof(damages) / sizeof(damages[0]);

	for (size_t i = 0; i < n; i++) {
		if (argc == 2 && strcmp(argv[1], "list") == 0) {
			puts(damages[i].name);
			continue;
		}
		if (argc != 3 || strcmp(argv[1], damages[i].name) != 0)
			continue;
		fd = open(argv[2], O_RDWR);
		if (fd < 0)
			return 1;
		damages[i].apply();
		return 0;
	}
	return argc == 2 ? 0 : 2;
}
