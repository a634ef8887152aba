/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parser of backups (repair/undo_read.h): it reads every form that repair/backup.h describes, and
 * refuses all others, also if their checksum is right.
 */
#include "support.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "errormsg.h"
#include "repair/backup.h"
#include "repair/undo_read.h"

#define LIMIT UINT64_C(1048576)
#define UUID_A "00112233445566778899aabbccddeeff"
#define UUID_B "f0e1d2c3b4a5968778695a4b3c2d1e0f"
#define POOL "pool " UUID_A " " UUID_B "\n"
#define LENGTH "length 1044480 1048576\n"
#define HEAD_2 BACKUP_HEADLINE POOL LENGTH
#define HEAD_3 BACKUP_HEADLINE_3 POOL LENGTH
#define HEAD_1 BACKUP_HEADLINE_1 "pool " UUID_A "\nlength 1044480\n"
#define RANGE "8 01020304 2:a1b2c3d4\n"

static struct undo undo;
static const char *path;

static int read_bytes(const char *text, size_t len, uint64_t limit)
{
	undo_free(&undo);
	path = support_path(true, "backup");
	support_write_file(path, text, len);
	return undo_read(path, limit, &undo);
}

/* Reads the text with an end for so many ranges behind it. */
static int read_sealed(const char *text, unsigned nrange, uint64_t limit)
{
	size_t len = strlen(text);
	char *whole = calloc(1, len + 64);
	int ret;

	assert_non_null(whole);
	memcpy(whole, text, len);
	if (strncmp(text, BACKUP_HEADLINE_1, strlen(BACKUP_HEADLINE_1)) == 0)
		snprintf(whole + len, 64, "end %u\n", nrange);
	else
		snprintf(whole + len, 64, "end %u %016" PRIx64 "\n", nrange,
			 backup_sum(BACKUP_SUM_START, text, len));
	ret = read_bytes(whole, strlen(whole), limit);
	free(whole);
	return ret;
}

static void assert_read(int ret)
{
	if (ret != 0)
		fail_msg("%s", errormsg_get());
}

static void assert_refused(const char *text, int ret, const char *why)
{
	if (ret != -EINVAL || !strstr(errormsg_get(), why) ||
	    strncmp(errormsg_get(), path, strlen(path)) != 0)
		fail_msg("returned %d, '%s' instead of '%s' for:\n%.300s", ret,
			 ret ? errormsg_get() : "", why, text);
}

static void assert_range(size_t i, uint64_t off, uint32_t len, uint32_t nvalue)
{
	assert_true(i < undo.nrange);
	assert_true(undo.range[i].off == off);
	assert_int_equal(undo.range[i].len, len);
	assert_int_equal(undo.range[i].nvalue, nvalue);
}

/* Fails unless the k-th value of a range begins with these bytes. */
static void assert_value(size_t i, unsigned k, const char *bytes)
{
	const struct undo_range *r = &undo.range[i];

	assert_memory_equal(undo.data + r->data + (size_t)k * r->len, bytes, 4);
}

/* --- what is read -------------------------------------------------------------------------- */

static void every_field_of_a_repair_is_read(void **state)
{
	static const unsigned char a[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	static const unsigned char b[] = {0xf0, 0xe1, 0xd2, 0xc3, 0xb4, 0xa5, 0x96, 0x87,
					  0x78, 0x69, 0x5a, 0x4b, 0x3c, 0x2d, 0x1e, 0x0f};

	(void)state;
	assert_read(read_sealed(HEAD_2 "note end 1: anything, 0 00000000 0:11111111\n"
				       "note \n"
				       "0 01020304 0:a1b2c3d4\n"
				       "4 0000000011111111 1:2222222233333333 "
				       "9:4444444455555555\n"
				       "1048572 ffffffff 2:abcdef09\n",
				3, LIMIT));
	assert_int_equal(undo.version, 2);
	assert_string_equal(undo.file, path);
	assert_memory_equal(undo.uuid[0], a, sizeof(a));
	assert_memory_equal(undo.uuid[1], b, sizeof(b));
	assert_true(undo.length[0] == 1044480 && undo.length[1] == 1048576);
	assert_int_equal(undo.nrange, 3);
	assert_int_equal(undo.narea, 0);
	assert_range(0, 0, 4, 2);
	assert_int_equal(undo.range[0].phase[1], 0);
	assert_value(0, 0, "\x01\x02\x03\x04");
	assert_value(0, 1, "\xa1\xb2\xc3\xd4");
	assert_range(1, 4, 8, 3);
	assert_int_equal(undo.range[1].phase[1], 1);
	assert_int_equal(undo.range[1].phase[2], 9);
	assert_value(1, 0, "\0\0\0\0");
	assert_value(1, 1, "\x22\x22\x22\x22");
	assert_value(1, 2, "\x44\x44\x44\x44");
	assert_range(2, 1048572, 4, 2);
	assert_value(2, 1, "\xab\xcd\xef\x09");
}

static void the_areas_of_a_grow_are_read(void **state)
{
	(void)state;
	assert_read(read_sealed(HEAD_3 "area 0 4096 0123456789abcdef\n"
				       "area 8192 1040384 fedcba9876543210\n" RANGE,
				1, LIMIT));
	assert_int_equal(undo.version, 3);
	assert_int_equal(undo.narea, 2);
	assert_true(undo.area[0].off == 0 && undo.area[0].len == 4096);
	assert_true(undo.area[0].sum == UINT64_C(0x0123456789abcdef));
	assert_true(undo.area[1].off == 8192 && undo.area[1].len == 1040384);
	assert_true(undo.area[1].sum == UINT64_C(0xfedcba9876543210));
	assert_int_equal(undo.nrange, 1);
}

/* A backup of version 1 tells no phases: what may make the pool openable gets the last one. */
static void version_1_is_read(void **state)
{
	static const struct {
		uint64_t off;
		size_t len;
		int phase;
	} ranges[] = {{0, 4, PLAN_HEADER},
		      {8188, 4, PLAN_HEADER},
		      {8192, 4, PLAN_MAP},
		      {8196, 4092, PLAN_MAP},
		      {20480, 4096, PLAN_HEADER}};
	size_t room = 100000;
	char *text = calloc(1, room);
	size_t n = strlen(HEAD_1);

	(void)state;
	assert_non_null(text);
	strcpy(text, HEAD_1);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		n += (size_t)snprintf(text + n, room - n, "%" PRIu64, ranges[i].off);
		for (unsigned k = 0; k < 2; k++) {
			text[n++] = ' ';
			memset(text + n, '0' + (int)k, 2 * ranges[i].len);
			n += 2 * ranges[i].len;
		}
		text[n++] = '\n';
	}
	assert_read(read_sealed(text, ARRAY_SIZE(ranges), LIMIT));
	assert_int_equal(undo.version, 1);
	assert_memory_equal(undo.uuid[0], undo.uuid[1], UUID_SIZE);
	assert_int_equal(undo.uuid[0][1], 0x11);
	assert_true(undo.length[0] == 1044480 && undo.length[1] == 1044480);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		assert_range(i, ranges[i].off, (uint32_t)ranges[i].len, 2);
		assert_int_equal(undo.range[i].phase[1], ranges[i].phase);
		assert_value(i, 0, "\0\0\0\0");
		assert_value(i, 1, "\x11\x11\x11\x11");
	}
	free(text);
}

/* A page that every phase changes, at the largest offset; and many short ranges and areas. */
static void the_longest_line_and_many_lines_are_read(void **state)
{
	uint64_t off = UINT64_MAX - 8191;
	size_t room = 200000;
	char *text = calloc(1, room);
	size_t n;

	(void)state;
	assert_non_null(text);
	n = (size_t)snprintf(text, room, HEAD_2 "%" PRIu64 " ", off);
	for (unsigned k = 0; k <= PLAN_NPHASE; k++) {
		if (k > 0)
			n += (size_t)snprintf(text + n, room - n, " %u:", k - 1);
		memset(text + n, "0123456789a"[k], 8192);
		n += 8192;
	}
	text[n] = '\n';
	assert_read(read_sealed(text, 1, UINT64_MAX - 4095));
	assert_range(0, off, 4096, PLAN_NPHASE + 1);
	for (unsigned k = 1; k <= PLAN_NPHASE; k++)
		assert_int_equal(undo.range[0].phase[k], k - 1);
	assert_value(0, 9, "\x99\x99\x99\x99");
	assert_value(0, 10, "\xaa\xaa\xaa\xaa");

	n = (size_t)snprintf(text, room, "%s", HEAD_3);
	for (unsigned i = 0; i < 100; i++)
		n += (size_t)snprintf(text + n, room - n, "area %u 4096 %016x\n",
				      i * 8192, i);
	for (unsigned i = 0; i < 1000; i++)
		n += (size_t)snprintf(text + n, room - n, "%u %08x 1:%08x\n", i * 4, i,
				      i + 0x10000000);
	assert_read(read_sealed(text, 1000, LIMIT));
	for (unsigned i = 0; i < 100; i++)
		assert_true(undo.area[i].off == i * 8192 && undo.area[i].sum == i);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned char *old = undo.data + undo.range[i].data;

		assert_range(i, i * 4, 4, 2);
		assert_int_equal(old[2] << 8 | old[3], i);
		assert_int_equal(old[4], 0x10);
	}
	free(text);
}

static void an_offset_may_have_every_digit_and_64_bits(void **state)
{
	(void)state;
	assert_read(read_sealed(BACKUP_HEADLINE POOL
				"length 1234567890 18446744073709551615\n" RANGE,
				1, LIMIT));
	assert_true(undo.length[0] == 1234567890 && undo.length[1] == UINT64_MAX);
}

/* --- what is refused ----------------------------------------------------------------------- */

#define NO_BACKUP "not a backup of pmemblk repair or pmemblk grow; nothing is put back"
#define NO_POOL "the backup is damaged: it names no pool; nothing is put back"
#define NO_LENGTH "the backup is damaged: it names no length; nothing is put back"
#define NO_LINE "the backup is damaged: a line that no repair writes; nothing is put back"
#define NO_RANGE                                                                         \
	"the backup is damaged: a range that no repair changes; nothing is put back"
#define NO_AREA "the backup is damaged: an area that no pool has; nothing is put back"
#define NO_SUM "the backup is damaged: its checksum is wrong; nothing is put back"
#define NO_END "the backup is not complete; nothing is put back"
#define AFTER_END                                                                        \
	"the backup is damaged: something stands behind its end; nothing is put back"

/* Each text gets the right checksum. */
static void lines_of_another_form_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} cases[] = {
	    {"pmemblk backup 4\n" POOL LENGTH RANGE, NO_BACKUP},
	    {"pmemblk backup 0\n" POOL LENGTH RANGE, NO_BACKUP},
	    {"pmemblk backup 2 \n" POOL LENGTH RANGE, NO_BACKUP},
	    {"pmemblk backup 31\n" POOL LENGTH RANGE, NO_BACKUP},
	    {"pmemblk backup \n" POOL LENGTH RANGE, NO_BACKUP},
	    {"Pmemblk backup 2\n" POOL LENGTH RANGE, NO_BACKUP},
	    {"\n" BACKUP_HEADLINE POOL LENGTH RANGE, NO_BACKUP},
	    {BACKUP_HEADLINE "pole " UUID_A " " UUID_B "\n" LENGTH RANGE, NO_POOL},
	    {BACKUP_HEADLINE "pool " UUID_A "\n" LENGTH RANGE, NO_POOL},
	    {BACKUP_HEADLINE "pool " UUID_A " " UUID_B " \n" LENGTH RANGE, NO_POOL},
	    {BACKUP_HEADLINE "pool " UUID_A " " UUID_B "00\n" LENGTH RANGE, NO_POOL},
	    {BACKUP_HEADLINE "pool " UUID_A "0 " UUID_B "\n" LENGTH RANGE, NO_POOL},
	    {BACKUP_HEADLINE "pool " UUID_A "  " UUID_B "\n" LENGTH RANGE, NO_POOL},
	    {BACKUP_HEADLINE "pool 0011 " UUID_B "\n" LENGTH RANGE, NO_POOL},
	    {BACKUP_HEADLINE "pool 00112233445566778899AABBCCDDEEFF " UUID_B
			     "\n" LENGTH RANGE,
	     NO_POOL},
	    {BACKUP_HEADLINE "pool 00112233445566778899aabbccddeefg " UUID_B
			     "\n" LENGTH RANGE,
	     NO_POOL},
	    {BACKUP_HEADLINE_1 POOL "length 4096\n", NO_POOL},
	    {BACKUP_HEADLINE POOL "width 4096 4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length 4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length 4096 4096 \n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length 4096,4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length 04096 4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length 4096 04096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length  4096 4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length +4096 4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length -4096 4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length 0x1000 4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length 18446744073709551616 4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length x 4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length : 4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE POOL "length / 4096\n" RANGE, NO_LENGTH},
	    {BACKUP_HEADLINE_1 "pool " UUID_A "\n" LENGTH, NO_LENGTH},
	    {BACKUP_HEADLINE_1 "pool " UUID_A "\n"
			       "length 4096x\n",
	     NO_LENGTH},
	    /* ranges */
	    {HEAD_2 "\n", NO_RANGE},
	    {HEAD_2 "8\n", NO_RANGE},
	    {HEAD_2 "8 \n", NO_RANGE},
	    {HEAD_2 " 01020304 2:a1b2c3d4\n", NO_RANGE},
	    {HEAD_2 "8  01020304 2:a1b2c3d4\n", NO_RANGE},
	    {HEAD_2 "8 0102030 2:a1b2c3d\n", NO_RANGE},
	    {HEAD_2 "8 010203 2:a1b2c3\n", NO_RANGE},
	    {HEAD_2 "8 010203040506 2:010203040506\n", NO_RANGE},
	    {HEAD_2 "10 01020304 2:a1b2c3d4\n", NO_RANGE},
	    {HEAD_2 "9 01020304 2:a1b2c3d4\n", NO_RANGE},
	    {HEAD_2 "8 01020304 2:a1b2c3d4\n8 01020304 2:a1b2c3d4\n", NO_RANGE},
	    {HEAD_2 "8 01020304 2:a1b2c3d4\n4 01020304 2:a1b2c3d4\n", NO_RANGE},
	    {HEAD_2 "8 0102030405060708 2:0102030405060709\n12 01020304 2:a1b2c3d4\n",
	     NO_RANGE},
	    {HEAD_2 "1048576 01020304 2:a1b2c3d4\n", NO_RANGE},
	    {HEAD_2 "1048572 0102030405060708 2:0102030405060709\n", NO_RANGE},
	    {HEAD_2 "18446744073709551612 01020304 2:a1b2c3d4\n", NO_RANGE},
	    {HEAD_2 "area 0 4096 0123456789abcdef\n", NO_RANGE},
	    {HEAD_1 "note something\n", NO_RANGE},
	    {HEAD_1 "area 0 4096 0123456789abcdef\n", NO_RANGE},
	    {HEAD_2 "notes\n", NO_RANGE},
	    {HEAD_2 "8 01020304\n", NO_LINE},
	    {HEAD_2 "8 01020304 \n", NO_LINE},
	    {HEAD_2 "8 01020304 a1b2c3d4\n", NO_LINE},
	    {HEAD_2 "8 01020304 2;a1b2c3d4\n", NO_LINE},
	    {HEAD_2 "8 01020304 02:a1b2c3d4\n", NO_LINE},
	    {HEAD_2 "8 01020304,2:a1b2c3d4\n", NO_LINE},
	    {HEAD_2 "8 01020304 2:a1b2c3\n", NO_LINE},
	    {HEAD_2 "8 01020304 2:a1b2c3d\n", NO_LINE},
	    {HEAD_2 "8 01020304 2:a1b2c3d4e5\n", NO_LINE},
	    {HEAD_2 "8 01020304 2:a1b2c3d4 \n", NO_LINE},
	    {HEAD_2 "8 01020304 2:a1b2c3d4x\n", NO_LINE},
	    {HEAD_2 "8 01020304 10:a1b2c3d4\n", NO_LINE},
	    {HEAD_2 "8 01020304 256:a1b2c3d4\n", NO_LINE},
	    {HEAD_2 "8 01020304 2:a1b2c3d4 2:a1b2c3d5\n", NO_LINE},
	    {HEAD_2 "8 01020304 2:a1b2c3d4 1:a1b2c3d5\n", NO_LINE},
	    {HEAD_2 "8 01020304 1:a1b2c3d4 3:a1b2c3d4 2:a1b2c3d5\n", NO_LINE},
	    {HEAD_1 "8 01020304\n", NO_LINE},
	    {HEAD_1 "8 01020304 2:a1b2c3d4\n", NO_LINE},
	    {HEAD_1 "8 01020304 a1b2c3d4 a1b2c3d5\n", NO_LINE},
	    /* areas */
	    {HEAD_3 "area 0 4096 0123456789abcde\n" RANGE, NO_AREA},
	    {HEAD_3 "area 0 4096 0123456789abcdef0\n" RANGE, NO_AREA},
	    {HEAD_3 "area 0 4096 0123456789abcdef01\n" RANGE, NO_AREA},
	    {HEAD_3 "area 0 4096 0123456789abcdef \n" RANGE, NO_AREA},
	    {HEAD_3 "area 0 4096\n" RANGE, NO_AREA},
	    {HEAD_3 "area 0,4096 0123456789abcdef\n" RANGE, NO_AREA},
	    {HEAD_3 "area 0 4096,0123456789abcdef\n" RANGE, NO_AREA},
	    {HEAD_3 "area 00 4096 0123456789abcdef\n" RANGE, NO_AREA},
	    {HEAD_3 "area x 4096 0123456789abcdef\n" RANGE, NO_AREA},
	    {HEAD_3 "area 0 y 0123456789abcdef\n" RANGE, NO_AREA},
	    {HEAD_3 "area 2048 4096 0123456789abcdef\n" RANGE, NO_AREA},
	    {HEAD_3 "area 0 4097 0123456789abcdef\n" RANGE, NO_AREA},
	    {HEAD_3 "area 0 1052672 0123456789abcdef\n" RANGE, NO_AREA},
	    {HEAD_3 "area 4096 1048576 0123456789abcdef\n" RANGE, NO_AREA},
	    {HEAD_3 "area 1048576 0 0000000000000000\n" RANGE, NO_AREA},
	    {HEAD_3 "area 0 0 0000000000000000\n" RANGE, NO_AREA},
	    {HEAD_3
	     "area 0 8192 0123456789abcdef\narea 4096 4096 0123456789abcdef\n" RANGE,
	     NO_AREA},
	    {HEAD_3 "area 1048576 4096 0123456789abcdef\n" RANGE, NO_AREA},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned n = 0;

		for (const char *p = cases[i].text; *p; p++)
			n += *p == '\n';
		assert_refused(cases[i].text,
			       read_sealed(cases[i].text, n > 3 ? n - 3 : 0, LIMIT),
			       cases[i].why);
	}
	assert_refused(RANGE,
		       read_sealed(HEAD_2 "0 0102030405060708 "
					  "1:0102030405060709\n",
				   1, 4),
		       NO_RANGE);
}

/* A line of each kind. */
static const char every_line[] = HEAD_3
    "area 0 4096 0123456789abcdef\nnote some thing\n" RANGE "end 1 0123456789abcdef\n";

static void lines_that_are_too_long_are_refused(void **state)
{
	size_t room = 200000;
	char *text = calloc(1, room);
	size_t n = (size_t)snprintf(text, room, HEAD_2 "8192 ");

	(void)state;
	memset(text + n, '1', 8200);
	memcpy(text + n + 8200, " 1:", 3);
	memset(text + n + 8203, '2', 8200);
	text[n + 16403] = '\n';
	assert_refused(text, read_sealed(text, 1, LIMIT), NO_RANGE);

	for (const char *p = every_line; *p; p++)
		if (*p == '\n') {
			n = (size_t)(p - every_line);
			memset(text, 'n', room);
			memcpy(text, every_line, n);
			memcpy(text + n + 180000, p, strlen(p));
			assert_refused(every_line,
				       read_bytes(text, n + 180000 + strlen(p), LIMIT),
				       NO_LINE);
		}
	free(text);
}

/* Every beginning of a backup, and every backup with something behind it. */
static void another_end_is_refused(void **state)
{
	static const char body[] = HEAD_2 RANGE "12 00000000 1:00000001\n";
	char text[512];
	size_t len;
	uint64_t sum = backup_sum(BACKUP_SUM_START, body, strlen(body));
	static const struct {
		const char *end; /* as a format of the sum */
		const char *why;
	} ends[] = {{"end 1 %016llx\n", NO_SUM},      {"end 3 %016llx\n", NO_SUM},
		    {"end 2 %016llx \n", NO_SUM},     {"end 2 0%016llx\n", NO_SUM},
		    {"end 02 %016llx\n", NO_SUM},     {"end 2\n", NO_SUM},
		    {"end 2 %016llX0\n", NO_SUM},     {"end 2 %016llx", NO_END},
		    {"end 2 %016llx\n\n", AFTER_END}, {"end 2 %016llx\nx\n", AFTER_END},
		    {"end 2 %016llx\nx", NO_END}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		len = strlen(strcpy(text, body));
		snprintf(text + len, sizeof(text) - len, ends[i].end,
			 (unsigned long long)sum);
#pragma GCC diagnostic pop
		assert_refused(text, read_bytes(text, strlen(text), LIMIT), ends[i].why);
	}
	strcpy(text, body);
	snprintf(text + strlen(body), 64, "end 2 %016" PRIx64 "\n", sum ^ 1);
	assert_refused(text, read_bytes(text, strlen(text), LIMIT), NO_SUM);
	strcpy(text, HEAD_1 "8192 01020304 a1b2c3d4\nend 1 0123456789abcdef\n");
	assert_refused(text, read_bytes(text, strlen(text), LIMIT), NO_SUM);
	strcpy(text, HEAD_1 "8192 01020304 a1b2c3d4\nend 2\n");
	assert_refused(text, read_bytes(text, strlen(text), LIMIT), NO_SUM);
	strcpy(text, HEAD_1 "8192 01020304 a1b2c3d4\nend 1\n");
	assert_read(read_bytes(text, strlen(text), LIMIT));

	strcpy(text, body);
	snprintf(text + strlen(body), 64, "end 2 %016" PRIx64 "\n", sum);
	len = strlen(text);
	assert_read(read_bytes(text, len, LIMIT));
	for (size_t n = 0; n < len; n++)
		if (read_bytes(text, n, LIMIT) != -EINVAL)
			fail_msg("the first %zu bytes are read", n);
	assert_refused(text, read_bytes("", 0, LIMIT), NO_BACKUP);
	assert_refused(text, read_bytes(body, strlen(body), LIMIT), NO_END);
}

static void a_NUL_is_refused(void **state)
{
	char text[sizeof(every_line)];

	(void)state;
	for (size_t i = 0; i < strlen(every_line); i++) {
		memcpy(text, every_line, sizeof(text));
		text[i] = '\0';
		assert_refused(every_line, read_bytes(text, sizeof(text) - 1, LIMIT),
			       NO_LINE);
	}
}

/* --- the file ------------------------------------------------------------------------------ */

static void no_descriptor_is_left_open(void **state)
{
	const char *absent = support_path(true, "absent");
	unsigned before = support_count_descriptors();

	(void)state;
	assert_read(read_sealed(HEAD_2 RANGE, 1, LIMIT));
	assert_int_equal(support_count_descriptors(), before);
	assert_true(read_sealed(HEAD_2 RANGE, 2, LIMIT) < 0);
	undo_free(&undo);
	assert_int_equal(undo_read(support_tmpdir(true), LIMIT, &undo), -EINVAL);
	assert_non_null(strstr(errormsg_get(), " is not a regular file"));
	assert_int_equal(undo_read(absent, LIMIT, &undo), -ENOENT);
	assert_non_null(strstr(errormsg_get(), "cannot open "));
	assert_int_equal(support_count_descriptors(), before);
}

static int free_undo(void **state)
{
	(void)state;
	undo_free(&undo);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_field_of_a_repair_is_read),
	    cmocka_unit_test(the_areas_of_a_grow_are_read),
	    cmocka_unit_test(version_1_is_read),
	    cmocka_unit_test(the_longest_line_and_many_lines_are_read),
	    cmocka_unit_test(an_offset_may_have_every_digit_and_64_bits),
	    cmocka_unit_test(lines_of_another_form_are_refused),
	    cmocka_unit_test(lines_that_are_too_long_are_refused),
	    cmocka_unit_test(another_end_is_refused),
	    cmocka_unit_test(a_NUL_is_refused),
	    cmocka_unit_test(no_descriptor_is_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, free_undo);
}
