/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backups: damaged ones and those of other pools are refused; old ones are read; their contents.
 */
#include "undo_fixture.h"

#include "repair/backup.h"

/* Changes the text at random; the buffer has room for one more line. */
static void spoil(char *text, uint64_t *random)
{
	size_t len = strlen(text);
	size_t at = support_random(random) % len;
	size_t n = 1 + support_random(random) % 40;
	char *line;

	switch (support_random(random) % 6) {
	case 0:
		text[at] = (char)(text[at] ^ 1 << support_random(random) % 7);
		break;
	case 1:
		text[at] = "0123456789abcdef \n:"[support_random(random) % 19];
		break;
	case 2:
		text[at] = '\0';
		break;
	case 3:
		if (at + n < len)
			memmove(text + at, text + at + n, len - at - n + 1);
		break;
	case 4:
		memmove(text + at + n, text + at, len - at + 1);
		break;
	default: /* removes a line */
		line = strchr(text + at, '\n');
		if (line && strchr(line + 1, '\n'))
			memmove(line, strchr(line + 1, '\n'),
				strlen(strchr(line + 1, '\n')) + 1);
	}
}

static void damaged_backups_are_refused(void **state)
{
	const char *spoilt = support_path(true, "spoilt");
	struct pool_file damaged = damage_all();
	unsigned rounds = getenv("CHECK_LONG") ? 5000 : 250;
	struct pool_file repaired;
	unsigned done = 0;
	char *text;

	(void)state;
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	repaired = load_file(path, &base);
	text = read_text(undo);
	for (unsigned seed = 1; seed <= rounds; seed++) {
		char *copy = calloc(1, strlen(text) + 100);
		uint64_t random = seed;

		assert_non_null(copy);
		strcpy(copy, text);
		spoil(copy, &random);
		if (strcmp(copy, text) != 0) {
			support_write_file(spoilt, copy, strlen(copy));
			if (tool_run(cmd_repair, "-u", spoilt, path, NULL) != 3)
				fail_msg("seed %u: %s", seed, tool_said);
			done++;
		}
		free(copy);
	}
	assert_true(is_file(path, &repaired));
	assert_true(done > rounds / 2);
	assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
	assert_true(is_file(path, &damaged));
	free(text);
	free(damaged.p);
	free(repaired.p);
}

/* Whatever the backup says, although each of its lines is well formed. */
static void a_backup_cannot_empty_a_pool(void **state)
{
	static const char *const texts[] = {
	    "pmemblk backup 1\npool %s\nlength 0\nend 0\n",
	    "pmemblk backup 1\npool %s\nlength 4096\nend 0\n",
	    "pmemblk backup 1\npool %s\nlength 99999999999\nend 0\n",
	    "pmemblk backup 2\npool %s %s\nlength 0 0\nend 0 0000000000000000\n",
	    "",
	    "pmemblk backup 3\n",
	};
	const char *name = support_path(true, "text");
	char uuid[2 * UUID_SIZE + 1];

	(void)state;
	store_file(path, &base);
	for (unsigned i = 0; i < UUID_SIZE; i++)
		snprintf(uuid + 2 * i, 3, "%02x", base.p[24 + i]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char text[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		snprintf(text, sizeof(text), texts[i], uuid, uuid);
#pragma GCC diagnostic pop
		support_write_file(name, text, strlen(text));
		assert_refused(name, &base);
	}
}

/* A length without the page that belongs to it, although the checksum is right. */
static void a_backup_cannot_shorten_a_pool(void **state)
{
	static const int lengths[][2] = {{-4096, 0}, {-100, 0}, {-100, 3996},
					 {0, 4096},  {-1, -1},	{1, 1}};
	const char *name = support_path(true, "text");
	char uuid[2 * UUID_SIZE + 1];

	(void)state;
	store_file(path, &base);
	for (unsigned i = 0; i < UUID_SIZE; i++)
		snprintf(uuid + 2 * i, 3, "%02x", base.p[24 + i]);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		char text[512];
		int n = snprintf(text, sizeof(text),
				 BACKUP_HEADLINE "pool %s %s\nlength %lld %lld\n", uuid,
				 uuid, (long long)base.len + lengths[i][0],
				 (long long)base.len + lengths[i][1]);

		n += snprintf(
		    text + n, sizeof(text) - (size_t)n, "end 0 %016llx\n",
		    (unsigned long long)backup_sum(BACKUP_SUM_START, text, (size_t)n));
		support_write_file(name, text, (size_t)n);
		assert_refused(name, &base);
	}
}

struct crafted {
	long long length[2]; /* less that of the pool */
	long long off;	     /* of a range, less the pool's length; 0: none */
	size_t len;
	const char *why; /* NULL: it is put back */
};

/* Writes a backup with the right checksum that keeps the bytes of its range. */
static void craft(const char *name, const struct crafted *c, const struct pool_file *f,
		  unsigned version)
{
	uint64_t off = f->len + (uint64_t)c->off;
	char *text = calloc(1, 65536);
	size_t n = 0;

	assert_non_null(text);
	n += (size_t)sprintf(text + n, "pmemblk backup %u\npool ", version);
	for (unsigned k = 0; k < version; k++) {
		for (unsigned i = 0; i < UUID_SIZE; i++)
			n += (size_t)sprintf(text + n, "%02x", f->p[24 + i]);
		text[n++] = k + 1 < version ? ' ' : '\n';
	}
	n += (size_t)sprintf(text + n, "length %lld", (long long)f->len + c->length[0]);
	if (version == 2)
		n += (size_t)sprintf(text + n, " %lld", (long long)f->len + c->length[1]);
	text[n++] = '\n';
	if (c->len) {
		n += (size_t)sprintf(text + n, "%llu", (unsigned long long)off);
		for (unsigned k = 0; k < 2; k++) {
			n += (size_t)sprintf(text + n, k && version == 2 ? " 8:" : " ");
			for (size_t i = 0; i < c->len; i++)
				n +=
				    (size_t)sprintf(text + n, "%02x",
						    off + i < f->len ? f->p[off + i] : 0);
		}
		text[n++] = '\n';
	}
	n += (size_t)sprintf(text + n, "end %u", c->len != 0);
	if (version == 2)
		n += (size_t)sprintf(text + n, " %016llx",
				     (unsigned long long)backup_sum(
					 BACKUP_SUM_START, text, n - strlen("end 0")));
	text[n++] = '\n';
	support_write_file(name, text, n);
	free(text);
}

static void try_crafted(const struct crafted *c, size_t n, unsigned version)
{
	const char *name = support_path(true, "text");

	for (size_t i = 0; i < n; i++, c++) {
		struct pool_file cut = clone_file(&base);

		store_file(path, &base);
		craft(name, c, &base, version);
		if (c->why) {
			assert_refused(name, &base);
			if (!strstr(tool_said, c->why))
				fail_msg("number %zu: %s", i, tool_said);
		} else {
			if (tool_run(cmd_repair, "-u", name, path, NULL) != 0)
				fail_msg("number %zu: %s", i, tool_said);
			cut.len = (size_t)((long long)base.len + c->length[0]);
			assert_true(is_file(path, &cut));
		}
		free(cut.p);
	}
}

/* A repair makes a file longer by one page, its last range, and no repair makes one shorter. */
static void a_backup_has_lengths_that_a_repair_gives(void **state)
{
	static const char wrong[] = "a length that no repair gives";
	static const char other[] = "another length than before and after the repair";
	static const struct crafted crafted[] = {
	    {{-4096, 0}, -4096, 4096, NULL},
	    {{-100, 0}, -4096, 4096, NULL},
	    {{-4096, 0}, -4096, 4092, wrong},
	    {{-4096, 0}, -8192, 4096, wrong},
	    {{-4096, 0}, 0, 0, wrong},
	    {{-8192, 0}, -8192, 4096, wrong},
	    {{-4096, 4096}, -4096, 4096, wrong},
	    {{0, 4096}, -4096, 4096, wrong},
	    {{4096, 8192}, -4096, 4096, other},
	    {{1, 4096}, -4096, 4096, other},
	    {{-8192, -4096}, -8192, 4096, other},
	    {{0, 0}, -4096, 4096, NULL},
	    {{0, 0}, -4, 4, NULL},
	    {{0, 0}, -4, 8, "an offset beyond the pool"},
	    {{0, 0}, 0, 4, "changed after the repair"},
	    {{0, 0}, 4092, 4, "changed after the repair"},
	};

	(void)state;
	try_crafted(crafted, ARRAY_SIZE(crafted), 2);
}

static void what_is_no_regular_file_is_refused(void **state)
{
	const char *fifo = support_path(true, "fifo");

	(void)state;
	store_file(path, &base);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	alarm(20);
	assert_refused(fifo, &base);
	assert_non_null(strstr(tool_said, "not a regular file"));
	assert_refused("/dev/zero", &base);
	assert_non_null(strstr(tool_said, "not a regular file"));
	assert_refused(support_tmpdir(true), &base);
	alarm(0);
}

/* Two pools with the same damage. */
static void a_backup_is_for_its_own_pool(void **state)
{
	struct pool_file damaged = clone_file(&base);
	struct pool_file other;

	(void)state;
	put32(&damaged, map_off(&damaged, 30), 0xffffffff);
	unlink(undo);
	store_file(path, &damaged);
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	other = load_file(path, &base);
	for (unsigned i = 0; i < UUID_SIZE; i++)
		other.p[24 + i] ^= 0x55;
	store_file(path, &other);
	assert_refused(undo, &other);
	assert_non_null(strstr(tool_said, "another pool's"));
	free(other.p);
	free(damaged.p);
}

static void a_backup_is_not_for_a_pool_that_was_used(void **state)
{
	struct pool_file damaged = damage_all();
	struct pool_file used;
	char block[BSIZE] = "y";
	PMEMblkpool *pool;

	(void)state;
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	pool = pmemblk_open(path, 0);
	assert_non_null(pool);
	assert_int_equal(pmemblk_write(pool, block, 30), 0);
	pmemblk_close(pool);
	used = load_file(path, &base);
	assert_refused(undo, &used);
	assert_non_null(strstr(tool_said, "changed after the repair"));
	free(used.p);
	free(damaged.p);
}

/* If there are many blocks, the output names only the first ones. */
static void the_backup_names_every_block(void **state)
{
	struct pool_file f = clone_file(&base);
	char *text;

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		put32(&f, map_off(&f, i), 0xffffffff);
	unlink(undo);
	store_file(path, &f);
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	assert_non_null(strstr(tool_said, "... and 150 more\n"));
	text = read_text(undo);
	for (unsigned i = 0; i < 200; i++) {
		char line[64];

		snprintf(line, sizeof(line), "\nnote block %u: its map entry", i);
		assert_non_null(strstr(text, line));
	}
	free(text);
	assert_int_equal(tool_run(cmd_repair, "-u", undo, path, NULL), 0);
	assert_true(is_file(path, &f));
	free(f.p);
}

/* --- version 1 ------------------------------------------------------------------------------- */

static void print_hex(FILE *f, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%02x", p[i]);
}

/* Writes a backup of version 1 with the differences between two pools of the same length. */
static void write_version_1(const char *name, const struct pool_file *old,
			    const struct pool_file *new, uint64_t length)
{
	FILE *f = fopen(name, "w");
	unsigned n = 0;

	assert_non_null(f);
	fputs("pmemblk backup 1\npool ", f);
	print_hex(f, new->p + 24, UUID_SIZE);
	fprintf(f, "\nlength %llu\n", (unsigned long long)length);
	for (size_t off = 0, len; off < new->len; off += len) {
		bool is_page = off < 4096 || off == ARENA || off == copy_off(new);

		len = is_page ? 4096 : 4;
		if (memcmp(old->p + off, new->p + off, len) == 0)
			continue;
		fprintf(f, "%zu ", off);
		print_hex(f, old->p + off, len);
		fputc(' ', f);
		print_hex(f, new->p + off, len);
		fputc('\n', f);
		n++;
	}
	fprintf(f, "end %u\n", n);
	fclose(f);
}

static void backups_of_version_1_are_still_read(void **state)
{
	const char *old = support_path(true, "old");
	struct pool_file damaged = damage_all();
	struct pool_file repaired;

	(void)state;
	assert_int_equal(tool_run(cmd_repair, path, NULL), 0);
	repaired = load_file(path, &base);
	write_version_1(old, &damaged, &repaired, damaged.len);
	assert_int_equal(tool_run(cmd_repair, "-u", old, path, NULL), 0);
	assert_true(is_file(path, &damaged));
	free(damaged.p);
	free(repaired.p);
}

/* It has the old length only, and the page that was appended shows that there is a new one. */
static void version_1_has_lengths_that_a_repair_gives(void **state)
{
	static const char other[] = "another length than the repair left";
	static const struct crafted crafted[] = {
	    {{-4096, 0}, -4096, 4096, NULL},
	    {{0, 0}, -4096, 4096, NULL},
	    {{0, 0}, 0, 0, NULL},
	    {{-4096, 0}, 0, 0, other},
	    {{-4096, 0}, -4096, 4, other},
	    {{-4096, 0}, -8192, 4096, other},
	    {{-8192, 0}, -8192, 4096, other},
	    {{4096, 0}, -4096, 4096, other},
	    {{8192, 0}, -4096, 4096, other},
	};

	(void)state;
	try_crafted(crafted, ARRAY_SIZE(crafted), 1);
}

/* It names the new uuid. If the repair changed it, the old one is in the range of the header. */
static void version_1_finds_the_old_uuid_in_the_header(void **state)
{
	const char *old = support_path(true, "old");
	struct pool_file damaged = clone_file(&base);

	(void)state;
	for (unsigned i = 0; i < UUID_SIZE; i++)
		damaged.p[24 + i] ^= 0xa5;
	store_file(path, &base);
	write_version_1(old, &damaged, &base, base.len);
	for (unsigned i = 0; i < 2; i++) {
		if (tool_run(cmd_repair, "-u", old, path, NULL) != 0)
			fail_msg("%s", tool_said);
		assert_true(is_file(path, &damaged));
	}
	damaged.p[24 + 7] ^= 1;
	store_file(path, &damaged);
	assert_refused(old, &damaged);
	assert_non_null(strstr(tool_said, "another pool's"));
	free(damaged.p);
}

static void a_page_that_version_1_appended_is_cut_off_again(void **state)
{
	const char *old = support_path(true, "old");
	struct pool_file cut = clone_file(&base);

	(void)state;
	memset(cut.p + cut.len - 4096, 0, 4096);
	write_version_1(old, &cut, &base, base.len - 4096);
	cut.len -= 4096;
	store_file(path, &base);
	assert_int_equal(tool_run(cmd_repair, "-u", old, path, NULL), 0);
	assert_true(is_file(path, &cut));
	free(cut.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damaged_backups_are_refused),
	    cmocka_unit_test(a_backup_cannot_empty_a_pool),
	    cmocka_unit_test(a_backup_cannot_shorten_a_pool),
	    cmocka_unit_test(a_backup_has_lengths_that_a_repair_gives),
	    cmocka_unit_test(what_is_no_regular_file_is_refused),
	    cmocka_unit_test(a_backup_is_for_its_own_pool),
	    cmocka_unit_test(a_backup_is_not_for_a_pool_that_was_used),
	    cmocka_unit_test(the_backup_names_every_block),
	    cmocka_unit_test(backups_of_version_1_are_still_read),
	    cmocka_unit_test(version_1_has_lengths_that_a_repair_gives),
	    cmocka_unit_test(version_1_finds_the_old_uuid_in_the_header),
	    cmocka_unit_test(a_page_that_version_1_appended_is_cut_off_again),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
