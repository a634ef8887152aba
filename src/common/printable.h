/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes text safe to show. The name of a file can hold every byte except NUL and '/':
 * sequences that move a terminal's cursor or clear the screen, newlines that look like
 * the start of another message, and characters that change the writing direction.
 * Messages show such bytes as \xHH. Other UTF-8 and the backslash are not changed.
 */
#ifndef PRINTABLE_H
#define PRINTABLE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/*
 * Escapes a string in place. size: bytes at text, with the NUL. If the result is too
 * long, it is truncated after a whole character. Returns the length. A second call
 * changes nothing.
 */
size_t printable_make(char *text, size_t size);

/*
 * Decodes the UTF-8 character at the beginning of a non-empty string. Returns its length
 * in bytes and stores its number in *code. 0 if there is no valid character.
 */
size_t printable_decode(const char *text, uint32_t *code) MUST_CHECK;

/* Whether a character may be shown as it is. */
bool printable_is(uint32_t code) MUST_CHECK;

#endif
