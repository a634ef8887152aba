/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools of several files. */
#include <libpmemblk.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "support.h"

#define MIB ((uint64_t)1 << 20)

static char *dir;
static int full_at; /* the file, from 1, for which there is no space; 0: none */

SUPPORT_INTERPOSE int posix_fallocate(int fd, off_t off, off_t len)
{
	static int (*real)(int, off_t, off_t);

	if (full_at > 0 && --full_at == 0)
		return ENOSPC;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "posix_fallocate");
	return real(fd, off, len);
}

static int make_dir(void **state)
{
	(void)state;
	assert_true(asprintf(&dir, "%s/set.XXXXXX", support_tmpdir(true)) > 0);
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int drop_dir(void **state)
{
	char command[4200];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
	free(dir);
	return 0;
}

/* "<folder of the test>/<name>", for a while. */
static const char *at(const char *name)
{
	static char *paths[16];
	static unsigned n;
	char **path = &paths[n++ % 16];

	free(*path);
	assert_true(asprintf(path, "%s/%s", dir, name) > 0);
	return *path;
}

static bool exists(const char *name)
{
	return access(at(name), F_OK) == 0;
}

/* Writes the set file "set"; each '@' of the text becomes the folder. */
static void write_set(const char *text)
{
	FILE *f = fopen(at("set"), "w");

	assert_non_null(f);
	fputs("PMEMPOOLSET\n", f);
	for (; *text; text++)
		if (*text == '@')
			fputs(dir, f);
		else
			fputc(*text, f);
	assert_int_equal(fclose(f), 0);
}

static PMEMblkpool *create_set(const char *text, size_t bsize)
{
	PMEMblkpool *p;

	write_set(text);
	p = pmemblk_create(at("set"), bsize, 0, 0644);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

/* A failure with this errno whose message holds word. */
static void assert_refused(PMEMblkpool *p, int err, const char *word)
{
	int found = errno;

	if (p)
		fail_msg("accepted, but %s was expected (%s)", strerror(err), word);
	if (found != err || !strstr(pmemblk_errormsg(), word))
		fail_msg("%s, not %s: %s (%s)", strerror(found), strerror(err),
			 pmemblk_errormsg(), word);
}

static void assert_create_refused(const char *text, int err, const char *word)
{
	write_set(text);
	errno = 0;
	assert_refused(pmemblk_create(at("set"), 512, 0, 0644), err, word);
}

static void assert_open_refused(int err, const char *word)
{
	errno = 0;
	assert_refused(pmemblk_open(at("set"), 0), err, word);
	errno = 0;
	assert_int_equal(pmemblk_check(at("set"), 0), -1);
	assert_int_equal(errno, err);
}

static void fill_block(unsigned char *block, size_t bsize, uint64_t lba)
{
	uint64_t seed = lba;

	for (size_t i = 0; i < bsize; i++)
		block[i] = (unsigned char)support_random(&seed);
}

/* Writes all blocks, reopens and reads them, so that every byte of the image is used. */
static void exercise(size_t bsize)
{
	unsigned char *want = malloc(bsize);
	unsigned char *got = malloc(bsize);
	PMEMblkpool *p = pmemblk_open(at("set"), bsize);
	size_t n;

	assert_non_null(want);
	assert_non_null(got);
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	n = pmemblk_nblock(p);
	for (size_t i = 0; i < n; i++) {
		fill_block(want, bsize, i);
		assert_int_equal(pmemblk_write(p, want, (long long)i), 0);
	}
	pmemblk_close(p);
	assert_int_equal(pmemblk_check(at("set"), bsize), 1);
	p = pmemblk_open(at("set"), 0);
	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		fill_block(want, bsize, i);
		assert_int_equal(pmemblk_read(p, got, (long long)i), 0);
		assert_memory_equal(got, want, bsize);
	}
	pmemblk_close(p);
	free(want);
	free(got);
}

/* --- the grammar -------------------------------------------------------------------------- */

/* The string value of a field, unescaped, or "null", or the bare number. */
static void json_field(const char *line, const char *name, char *out, size_t size)
{
	char key[32];
	const char *p;
	size_t n = 0;

	snprintf(key, sizeof(key), "\"%s\": ", name);
	p = strstr(line, key);
	assert_non_null(p);
	p += strlen(key);
	if (*p != '"') {
		n = strcspn(p, ",}\n");
		assert_true(n < size);
		memcpy(out, p, n);
		out[n] = '\0';
		return;
	}
	for (p++; *p != '"'; p++) {
		char c = *p;

		if (c == '\\') {
			c = *++p;
			c = (char)(c == 'n'   ? '\n'
				   : c == 't' ? '\t'
				   : c == 'r' ? '\r'
					      : c);
		}
		assert_true(n + 1 < size);
		out[n++] = c;
	}
	out[n] = '\0';
}

static void write_grammar_set(const char *text)
{
	FILE *f = fopen(at("set"), "w");

	assert_non_null(f);
	while (*text) {
		if (strncmp(text, "@A@", 3) == 0 || strncmp(text, "@B@", 3) == 0) {
			fputs(at(text[1] == 'A' ? "a" : "b"), f);
			text += 3;
		} else {
			fputc(*text++, f);
		}
	}
	assert_int_equal(fclose(f), 0);
}

static void run_grammar_line(const char *line, char *text, size_t size)
{
	static const struct {
		const char *name;
		int value;
	} errnos[] = {{"EINVAL", EINVAL},
		      {"EFBIG", EFBIG},
		      {"ENOENT", ENOENT},
		      {"EAGAIN", EAGAIN},
		      {"EOPNOTSUPP", EOPNOTSUPP}};
	char result[16];
	char err[16];
	char nblock[32];
	PMEMblkpool *p;
	int found;

	json_field(line, "text", text, size);
	json_field(line, "result", result, sizeof(result));
	json_field(line, "errno", err, sizeof(err));
	json_field(line, "nblock", nblock, sizeof(nblock));
	write_grammar_set(text);
	errno = 0;
	p = pmemblk_create(at("set"), 512, 0, 0666);
	found = errno;
	if (strcmp(result, "ok") == 0) {
		if (!p)
			fail_msg("%s: %s", line, pmemblk_errormsg());
		assert_int_equal(pmemblk_nblock(p), strtoull(nblock, NULL, 10));
		pmemblk_close(p);
		unlink(at("a"));
		unlink(at("b"));
		return;
	}
	assert_null(p);
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		if (strcmp(errnos[i].name, err) == 0 && errnos[i].value == found)
			found = 0;
	if (found != 0)
		fail_msg("%s: %s: %s", line, strerror(found), pmemblk_errormsg());
	assert_non_null(strstr(pmemblk_errormsg(), dir));
	assert_false(exists("a"));
	assert_false(exists("b"));
}

static void every_set_text_has_the_originals_outcome(void **state)
{
	FILE *f =
	    fopen(support_source("tests/support/vectors/poolset-grammar.jsonl"), "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	unsigned rows = 0;

	(void)state;
	assert_non_null(f);
	while ((len = getline(&line, &room, f)) > 0) {
		char *text;

		if (line[0] == '#')
			continue;
		text = malloc((size_t)len + 1);
		assert_non_null(text);
		run_grammar_line(line, text, (size_t)len);
		free(text);
		rows++;
	}
	free(line);
	fclose(f);
	assert_int_equal(rows, 76);
}

static void messages_name_file_line_and_reason(void **state)
{
	(void)state;
	assert_create_refused("20M @/a\n# fine\n20 M @/b\n", EINVAL, "set:4: ");
	assert_create_refused("20M @/a\n# fine\n20M @/b x\n", EINVAL, "'x' behind");
	assert_create_refused("20X @/a\n", EINVAL, "unknown unit");
	assert_create_refused("99999999999999999999 @/a\n", EINVAL, "out of range");
	assert_create_refused("99999P @/a\n", EINVAL, "out of range");
	assert_create_refused("20M a\n", EINVAL, "not absolute");
	assert_create_refused("OPTION NONE\n20M @/a\n", EINVAL, "'NONE'");
	assert_create_refused("\n", EINVAL, "no parts");
}

/* --- several parts -------------------------------------------------------------------------- */

static void blocks_straddle_parts(void **state)
{
	(void)state;
	pmemblk_close(create_set("2M @/a\n2101249 @/b\n2M @/c\n12M @/d\n", 4104));
	exercise(4104);
}

static void blocks_straddle_parts_with_one_header(void **state)
{
	(void)state;
	pmemblk_close(create_set("OPTION SINGLEHDR\n2M @/a\n14M @/b\n2M @/c\n", 520));
	exercise(520);
}

static void sizes_are_the_originals(void **state)
{
	static const struct {
		const char *text;
		size_t nblock;
	} sets[] = {
	    {"10M @/a\n4100K @/b\n8M @/c\n", 44371},
	    {"OPTION SINGLEHDR\n10M @/a\n4100K @/b\n8M @/c\n", 44387},
	    {"20M @/a\n20M @/b\n", 80949},
	    {"OPTION SINGLEHDR\n20M @/a\n20M @/b\n", 80957},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		PMEMblkpool *p = create_set(sets[i].text, 512);

		assert_int_equal(pmemblk_nblock(p), sets[i].nblock);
		pmemblk_close(p);
		unlink(at("a"));
		unlink(at("b"));
		unlink(at("c"));
	}
}

static void parts_exchanged_missing_or_resized_are_refused(void **state)
{
	(void)state;
	pmemblk_close(create_set("8M @/a\n8M @/b\n8M @/c\n", 512));
	write_set("8M @/a\n8M @/c\n8M @/b\n");
	assert_open_refused(EINVAL, "exchanged");
	write_set("8M @/b\n8M @/c\n8M @/a\n");
	assert_open_refused(EINVAL, "replicas");
	write_set("8M @/a\n8M @/b\n");
	assert_open_refused(EINVAL, "missing");
	write_set("8M @/a\n8M @/b\n9M @/c\n");
	assert_open_refused(EINVAL, "9437184");
	write_set("8M @/a\n8M @/b\n8M @/missing\n");
	assert_open_refused(ENOENT, "missing");
	write_set("8M @/a\n8M @/b\n8M @/c\n8M @/a\n");
	assert_open_refused(EAGAIN, "twice");
	write_set("OPTION SINGLEHDR\n8M @/a\n8M @/b\n8M @/c\n");
	assert_open_refused(EINVAL, "SINGLEHDR");
	write_set("8M @/a\n8M @/b\n8M @/c\n");
	assert_int_equal(truncate(at("c"), 8 * 1024 * 1024 - 4096), 0);
	assert_open_refused(EINVAL, "8384512");
	assert_int_equal(truncate(at("c"), 8 * 1024 * 1024), 0);
	exercise(512);
}

static void parts_may_move_but_not_stand_alone(void **state)
{
	(void)state;
	pmemblk_close(create_set("9M @/a\n9M @/b\n", 512));
	assert_int_equal(rename(at("b"), at("moved")), 0);
	write_set("9M @/a\n9M @/moved\n");
	exercise(512);
	errno = 0;
	assert_refused(pmemblk_open(at("a"), 0), EINVAL, "one of several parts");
	pmemblk_close(create_set("18M @/single\n", 512));
	pmemblk_close(pmemblk_open(at("single"), 512));
}

static void parts_with_different_compat_features_are_refused(void **state)
{
	(void)state;
	pmemblk_close(create_set("9M @/a\n9M @/b\n", 512));
	image_put32(at("b"), IMAGE_COMPAT, 0x101);
	image_seal_header(at("b"), 0);
	assert_open_refused(EINVAL, "0x101");
	image_put32(at("a"), IMAGE_COMPAT, 0x101);
	image_seal_header(at("a"), 0);
	pmemblk_close(pmemblk_open(at("set"), 512));
	image_flip(at("b"), 4088);
	assert_open_refused(EINVAL, "/b is damaged");
}

static void any_part_that_is_locked_locks_the_set(void **state)
{
	PMEMblkpool *p;

	(void)state;
	p = create_set("9M @/a\n9M @/b\n", 512);
	assert_open_refused(EAGAIN, "locked");
	pmemblk_close(p);
	write_set("9M @/x\n9M @/b\n");
	p = pmemblk_create(at("single"), 512, PMEMBLK_MIN_POOL, 0644);
	assert_non_null(p);
	write_set("9M @/c\n16785408 @/single\n");
	errno = 0;
	assert_refused(pmemblk_create(at("set"), 512, 0, 0644), EAGAIN,
		       "single is locked");
	assert_false(exists("c"));
	pmemblk_close(p);
}

static void existing_parts_are_used_and_keep_their_mode(void **state)
{
	PMEMblkpool *p;
	struct stat st;

	(void)state;
	image_make_zero(at("b"), 9 * MIB);
	image_write(at("b"), 5 * MIB, "garbage", 7);
	assert_int_equal(chmod(at("b"), 0600), 0);
	p = create_set("9M @/a\n9M @/b\n", 512);
	pmemblk_close(p);
	assert_int_equal(stat(at("b"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(at("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(image_get32(at("a"), IMAGE_IS_ZEROED), 0);
	exercise(512);
}

static void a_failed_create_leaves_existing_parts_as_they_were(void **state)
{
	uint64_t before;

	(void)state;
	image_make_zero(at("a"), 9 * MIB);
	image_make_zero(at("b"), 9 * MIB);
	image_flip(at("b"), 100);
	before = image_hash(at("a")) ^ image_hash(at("b"));
	assert_create_refused("9M @/new\n9M @/a\n9M @/b\n", EEXIST, "/b is in use");
	assert_create_refused("9M @/new\n9M @/a\n10M @/b\n", EINVAL, "10485760");
	write_set("9M @/a\n9M @/new\n");
	errno = 0;
	assert_refused(pmemblk_create(at("set"), 1 << 20, 0, 0644), EINVAL, "");
	assert_false(exists("new"));
	assert_int_equal(image_hash(at("a")) ^ image_hash(at("b")), before);
}

static void a_full_disk_at_any_part_leaves_nothing_behind(void **state)
{
	uint64_t before;

	(void)state;
	image_make_zero(at("old"), 9 * MIB);
	before = image_hash(at("old"));
	for (int i = 1; i <= 3; i++) {
		full_at = i;
		/* The parts that are made come first. */
		assert_create_refused("9M @/a\n9M @/old\n9M @/b\n", ENOSPC,
				      i == 1   ? "/a"
				      : i == 2 ? "/b"
					       : "/old");
		assert_int_equal(full_at, 0);
		assert_false(exists("a"));
		assert_false(exists("b"));
		assert_true(image_hash(at("old")) == before);
	}
	pmemblk_close(create_set("9M @/a\n9M @/old\n9M @/b\n", 512));
}

static void unread_first_pages_of_a_set_with_one_header_may_hold_anything(void **state)
{
	(void)state;
	image_make_zero(at("b"), 9 * MIB);
	image_flip(at("b"), 0);
	pmemblk_close(create_set("OPTION SINGLEHDR\n9M @/a\n9M @/b\n", 512));
	exercise(512);
}

/* --- directories -------------------------------------------------------------------------- */

static void a_directory_gets_one_part_of_the_smallest_size(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(at("d"), 0755), 0);
	assert_int_equal(mkdir(at("e"), 0755), 0);
	write_set("OPTION SINGLEHDR\n1G @/d\n1G @/e\n");
	assert_open_refused(ENOENT, "no part file");
	pmemblk_close(create_set("OPTION SINGLEHDR\n1G @/d\n1G @/e\n", 512));
	assert_int_equal(stat(at("d/000000.pmem"), &st), 0);
	assert_int_equal(st.st_size, 16785408);
	exercise(512);
}

static void part_files_in_directories_are_taken_in_order(void **state)
{
	PMEMblkpool *p;

	(void)state;
	assert_int_equal(mkdir(at("d"), 0755), 0);
	assert_int_equal(mkdir(at("e"), 0755), 0);
	image_make_zero(at("d/000001.pmem"), 20 * MIB);
	image_make_zero(at("e/000000.pmem"), 20 * MIB);
	image_make_zero(at("e/notes.txt"), 1);
	p = create_set("OPTION SINGLEHDR\n30M @/d\n30M @/e\n", 512);
	assert_int_equal(pmemblk_nblock(p), 80957);
	pmemblk_close(p);
	assert_int_equal(image_get32(at("e/000000.pmem"), 0), 0x4d454d50);
	assert_int_equal(image_get32(at("d/000001.pmem"), 0), 0);
	exercise(512);
}

static void inconsistent_directories_are_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("d"), 0755), 0);
	assert_int_equal(mkdir(at("e"), 0755), 0);
	assert_create_refused("20M @/d\n", EINVAL, "SINGLEHDR");
	assert_create_refused("OPTION SINGLEHDR\n20M @/d\n20M @/a\n", EINVAL, "mixes");
	assert_create_refused("OPTION SINGLEHDR\n20M @/d\n20M @/e/../d\n", EEXIST,
			      "twice");
	assert_create_refused("OPTION SINGLEHDR\n8M @/d\n8M @/e\n", EINVAL, "16777216");
	assert_create_refused("OPTION SINGLEHDR\nAUTO @/d\n", EINVAL, "AUTO");
	image_make_zero(at("d/000000.pmem"), 30 * MIB);
	assert_create_refused("OPTION SINGLEHDR\n20M @/d\n", EINVAL, "reserves 20971520");
	image_make_zero(at("e/0.pmem"), 20 * MIB);
	assert_create_refused("OPTION SINGLEHDR\n40M @/d\n40M @/e\n", EINVAL,
			      "both claim");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_dir, drop_dir)
	const struct CMUnitTest tests[] = {
	    CASE(every_set_text_has_the_originals_outcome),
	    CASE(messages_name_file_line_and_reason),
	    CASE(blocks_straddle_parts),
	    CASE(blocks_straddle_parts_with_one_header),
	    CASE(sizes_are_the_originals),
	    CASE(parts_exchanged_missing_or_resized_are_refused),
	    CASE(parts_may_move_but_not_stand_alone),
	    CASE(parts_with_different_compat_features_are_refused),
	    CASE(any_part_that_is_locked_locks_the_set),
	    CASE(existing_parts_are_used_and_keep_their_mode),
	    CASE(a_failed_create_leaves_existing_parts_as_they_were),
	    CASE(a_full_disk_at_any_part_leaves_nothing_behind),
	    CASE(unread_first_pages_of_a_set_with_one_header_may_hold_anything),
	    CASE(a_directory_gets_one_part_of_the_smallest_size),
	    CASE(part_files_in_directories_are_taken_in_order),
	    CASE(inconsistent_directories_are_refused),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
