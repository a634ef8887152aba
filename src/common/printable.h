/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text that may be shown. Names of files hold any byte but NUL and '/': sequences that move
 * a terminal's cursor or clear it, newlines that look like further messages, and characters
 * that turn the direction of what follows. Messages show such bytes as \xHH, whatever they
 * came from; UTF-8 stays as it is, and so does the backslash.
 */
#ifndef PRINTABLE_H
#define PRINTABLE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/*
 * Escapes a string in place. size: bytes at text, the NUL included; what finds no room is
 * cut off, at a whole character. Returns the length. Doing it twice changes nothing more.
 */
size_t printable_make(char *text, size_t size);

/*
 * The character of UTF-8 at the beginning of a string that is not empty: its length in
 * bytes, and its number in *code. 0 if there is none.
 */
size_t printable_decode(const char *text, uint32_t *code) MUST_CHECK;

/* Whether a character may be shown as it is. */
bool printable_is(uint32_t code) MUST_CHECK;

#endif
