/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of set files: what the original accepts, and the messages for everything else. */
#include "set_fixture.h"

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
	FILE *f = fopen(set_path("set"), "w");

	assert_non_null(f);
	while (*text) {
		if (strncmp(text, "@A@", 3) == 0 || strncmp(text, "@B@", 3) == 0) {
			fputs(set_path(text[1] == 'A' ? "a" : "b"), f);
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
	p = pmemblk_create(set_path("set"), 512, 0, 0666);
	found = errno;
	if (strcmp(result, "ok") == 0) {
		if (!p)
			fail_msg("%s: %s", line, pmemblk_errormsg());
		assert_int_equal(pmemblk_nblock(p), strtoull(nblock, NULL, 10));
		pmemblk_close(p);
		unlink(set_path("a"));
		unlink(set_path("b"));
		return;
	}
	assert_null(p);
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		if (strcmp(errnos[i].name, err) == 0 && errnos[i].value == found)
			found = 0;
	if (found != 0)
		fail_msg("%s: %s: %s", line, strerror(found), pmemblk_errormsg());
	assert_non_null(strstr(pmemblk_errormsg(), set_dir));
	assert_false(set_part_exists("a"));
	assert_false(set_part_exists("b"));
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
	set_assert_create_refused("20M @/a\n# fine\n20 M @/b\n", EINVAL, "set:4: ");
	set_assert_create_refused("20M @/a\n# fine\n20M @/b x\n", EINVAL, "'x' behind");
	set_assert_create_refused("20X @/a\n", EINVAL, "unknown unit");
	set_assert_create_refused("99999999999999999999 @/a\n", EINVAL, "out of range");
	set_assert_create_refused("99999P @/a\n", EINVAL, "out of range");
	set_assert_create_refused("20M a\n", EINVAL, "not absolute");
	set_assert_create_refused("OPTION NONE\n20M @/a\n", EINVAL, "'NONE'");
	set_assert_create_refused("\n", EINVAL, "no parts");
	set_assert_create_refused("\r\n", EINVAL, "no parts");
}

/* A comment that ends with the file, which has a hole there. */
static void a_set_file_of_64_MiB_is_read_and_no_longer_one(void **state)
{
	(void)state;
	set_write("#");
	assert_int_equal(truncate(set_path("set"), 64 << 20), 0);
	assert_null(pmemblk_open(set_path("set"), 0));
	set_assert_refused(NULL, errno, "no parts");
	assert_int_equal(truncate(set_path("set"), (64 << 20) + 1), 0);
	assert_null(pmemblk_open(set_path("set"), 0));
	set_assert_refused(NULL, errno, "67108865 bytes, at most 67108864 are read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SET_CASE(every_set_text_has_the_originals_outcome),
	    SET_CASE(messages_name_file_line_and_reason),
	    SET_CASE(a_set_file_of_64_MiB_is_read_and_no_longer_one),
	};

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
