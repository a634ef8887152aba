/* SPDX-License-Identifier: BSD-3-Clause */
#include "printable.h"

#include <string.h>

/* Accepts the shortest form only, no surrogates, and nothing above 0x10ffff. */
size_t printable_decode(const char *text, uint32_t *code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *c = (const unsigned char *)text;
	size_t len = *c < 0x80 ? 1 : *c < 0xc0 ? 0 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : 4;

	if (len == 0 || *c >= 0xf8)
		return 0;
	*code = len == 1 ? *c : *c & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((c[i] & 0xc0) != 0x80) /* this also stops at the NUL at the end */
			return 0;
		*code = *code << 6 | (c[i] & 0x3fu);
	}
	if (*code < smallest[len] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return len;
}

bool printable_is(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return false;
	/* Direction marks, embeddings and isolates; line and paragraph separators. */
	return code != 0x200e && code != 0x200f && !(code >= 0x2028 && code <= 0x202e) &&
	       !(code >= 0x2066 && code <= 0x2069) && code != 0x061c;
}

/*
 * Returns the length of the character or byte at text, and whether it has to be escaped.
 */
static size_t look(const char *text, bool *escape)
{
	uint32_t code;
	size_t len = printable_decode(text, &code);

	*escape = len == 0 || !printable_is(code);
	return len == 0 ? 1 : len;
}

static char *put_escaped(char *to, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";

	*to++ = '\\';
	*to++ = 'x';
	*to++ = digits[byte >> 4];
	*to++ = digits[byte & 15];
	return to;
}

size_t printable_make(char *text, size_t size)
{
	size_t in = 0;
	size_t out = 0;
	const char *from;
	char *to = text;
	bool escape;

	while (text[in]) {
		size_t len = look(text + in, &escape);
		size_t shown = escape ? 4 * len : len;

		if (out + shown >= size)
			break;
		in += len;
		out += shown;
	}
	/*
	 * Read from the end of the buffer, so that the output never overtakes the input.
	 */
	memmove(text + (out - in), text, in);
	text[out] = '\0';
	for (from = text + (out - in); from < text + out;) {
		char character[4];
		size_t len = look(from, &escape);

		memcpy(character, from, len);
		from += len;
		for (size_t i = 0; i < len; i++) {
			if (escape)
				to = put_escaped(to, (unsigned char)character[i]);
			else
				*to++ = character[i];
		}
	}
	return out;
}
