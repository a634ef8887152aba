/* SPDX-License-Identifier: BSD-3-Clause */
#include "image/facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "printable.h"

/* A character above 0xffff is printed as a pair of surrogates. */
static void print_code(uint32_t code)
{
	if (code > 0xffff) {
		printf("\\u%04x", 0xd800 + ((code - 0x10000) >> 10));
		code = 0xdc00 + (code & 0x3ff);
	}
	printf("\\u%04x", code);
}

/*
 * Prints a JSON string from which a reader can restore the bytes. UTF-8 is printed as text. Any
 * other byte becomes the lone surrogate 0xdc00 + byte, which Python calls surrogateescape.
 */
static void print_quoted(const char *s)
{
	putchar('"');
	while (*s) {
		uint32_t code;
		size_t len = printable_decode(s, &code);

		if (len == 0)
			print_code(0xdc00u + (unsigned char)*s);
		else if (!printable_is(code))
			print_code(code);
		else if (code == '"' || code == '\\')
			printf("\\%c", (char)code);
		else
			fwrite(s, 1, len, stdout);
		s += len ? len : 1;
	}
	putchar('"');
}

/* Prints a line for people. */
static void print_line(const char *s)
{
	size_t size = 4 * strlen(s) + 1;
	char *line = malloc(size);

	if (line) {
		memcpy(line, s, strlen(s) + 1);
		printable_make(line, size);
	}
	puts(line ? line : "(out of memory)");
	free(line);
}

static void indent(const struct facts *f)
{
	for (unsigned i = 0; i < f->depth; i++)
		fputs("  ", stdout);
}

/* Called before each value or group. name is NULL for a member of a list. */
static void begin_item(struct facts *f, const char *name)
{
	if (f->json) {
		fputs(f->first ? "\n" : ",\n", stdout);
		indent(f);
		if (name) {
			print_quoted(name);
			fputs(": ", stdout);
		}
	} else {
		indent(f);
		if (name)
			printf("%s: ", name);
	}
	f->first = false;
}

static void open_level(struct facts *f, char bracket)
{
	putchar(f->json ? bracket : '\n');
	f->depth++;
	f->first = true;
}

static void close_level(struct facts *f, char bracket)
{
	f->depth--;
	if (f->json) {
		putchar('\n');
		indent(f);
		putchar(bracket);
	}
	f->first = false;
}

void facts_begin(struct facts *f, bool json)
{
	*f = (struct facts){.json = json, .first = true};
	if (json) {
		putchar('{');
		f->depth = 1;
	}
}

void facts_end(struct facts *f)
{
	if (f->json)
		puts("\n}");
}

void facts_begin_list(struct facts *f, const char *name)
{
	if (f->json) {
		begin_item(f, name);
		open_level(f, '[');
	}
}

void facts_end_list(struct facts *f)
{
	if (f->json)
		close_level(f, ']');
}

void facts_begin_group(struct facts *f, const char *title)
{
	begin_item(f, NULL);
	if (!f->json)
		fputs(title, stdout);
	open_level(f, '{');
}

void facts_begin_named(struct facts *f, const char *name)
{
	begin_item(f, f->json ? name : NULL);
	if (!f->json)
		fputs(name, stdout);
	open_level(f, '{');
}

void facts_end_group(struct facts *f)
{
	close_level(f, '}');
}

void facts_text(struct facts *f, const char *name, const char *value)
{
	begin_item(f, name);
	if (f->json)
		print_quoted(value);
	else
		print_line(value);
}

void facts_number(struct facts *f, const char *name, uint64_t value)
{
	begin_item(f, name);
	printf("%" PRIu64 "%s", value, f->json ? "" : "\n");
}

void facts_bool(struct facts *f, const char *name, bool value)
{
	begin_item(f, name);
	if (f->json)
		fputs(value ? "true" : "false", stdout);
	else
		puts(value ? "yes" : "no");
}
