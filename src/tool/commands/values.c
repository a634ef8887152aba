/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands/values.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

/* The number of digits of a fraction that count. */
#define FRACTION_DIGITS 15

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Moves *text behind the digits. False without digits, or if the number does not fit 64 bits. */
static bool parse_digits(const char **text, unsigned base, uint64_t *value)
{
	const char *c = *text;

	*value = 0;
	for (; digit(*c) < (int)base; c++)
		if (__builtin_mul_overflow(*value, base, value) ||
		    __builtin_add_overflow(*value, (uint64_t)digit(*c), value))
			return false;
	if (c == *text)
		return false;
	*text = c;
	return true;
}

static bool parse_number(const char *text, uint64_t *number)
{
	return parse_digits(&text, 10, number) && !*text;
}

/* Returns 0 for an unknown unit. */
static uint64_t unit_factor(const char *unit)
{
	static const char prefixes[] = "KMGTP";
	uint64_t binary = 1;
	uint64_t decimal = 1;

	if (!*unit || strcasecmp(unit, "B") == 0)
		return 1;
	for (size_t i = 0; i < sizeof(prefixes) - 1; i++) {
		binary <<= 10;
		decimal *= 1000;
		if (toupper((unsigned char)*unit) != prefixes[i])
			continue;
		if (!unit[1] || strcasecmp(unit + 1, "iB") == 0)
			return binary;
		return strcasecmp(unit + 1, "B") == 0 ? decimal : 0;
	}
	return 0;
}

/* Moves *text behind a fraction and stores it; without one it is 0 / 1. */
static bool parse_fraction(const char **text, uint64_t *numerator, uint64_t *denominator)
{
	*numerator = 0;
	*denominator = 1;
	if (**text != '.')
		return true;
	++*text;
	if (digit(**text) > 9)
		return false;
	for (int n = 0; digit(**text) <= 9; n++, ++*text)
		if (n < FRACTION_DIGITS) {
			*numerator = *numerator * 10 + (uint64_t)digit(**text);
			*denominator *= 10;
		}
	return true;
}

bool tool_parse_size(const char *text, uint64_t *size)
{
	uint64_t numerator;
	uint64_t denominator;
	uint64_t factor;
	uint64_t value;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		text += 2;
		return parse_digits(&text, 16, size) && !*text;
	}
	if (!parse_digits(&text, 10, &value) ||
	    !parse_fraction(&text, &numerator, &denominator))
		return false;
	factor = unit_factor(text);
	if (factor == 0 || (denominator != 1 && factor == 1) ||
	    __builtin_mul_overflow(value, factor, &value))
		return false;
	numerator = (uint64_t)((unsigned __int128)numerator * factor / denominator);
	return !__builtin_add_overflow(value, numerator, size);
}

static bool parse_mode(const char *text, mode_t *mode)
{
	uint64_t value;

	if (!parse_digits(&text, 8, &value) || *text || value > 07777)
		return false;
	*mode = (mode_t)value;
	return true;
}

static bool parse_blocks(const char *text, struct tool_blocks *blocks)
{
	if (!parse_digits(&text, 10, &blocks->first) || blocks->first > INT64_MAX)
		return false;
	blocks->last = blocks->first;
	if (!*text)
		return true;
	if (*text++ != '-')
		return false;
	blocks->last = UINT64_MAX;
	return !*text || (parse_number(text, &blocks->last) &&
			  blocks->last <= INT64_MAX && blocks->last >= blocks->first);
}

static bool is_within(const struct tool_option *option, uint64_t value)
{
	if (value < option->min || value > option->max)
		return false;
	*(uint64_t *)option->target = value;
	return true;
}

static void tell_range(const struct tool_option *option, const char *what, char *wanted)
{
	if (option->max == UINT64_MAX)
		snprintf(wanted, VALUES_WANTED, "%s", what);
	else
		snprintf(wanted, VALUES_WANTED, "%s from %llu to %llu", what,
			 ULL(option->min), ULL(option->max));
}

bool values_store(const struct tool_option *option, const char *text, char *wanted)
{
	uint64_t value;

	switch (option->kind) {
	case TOOL_FLAG:
		*(bool *)option->target = true;
		return true;
	case TOOL_SIZE:
		tell_range(option, "a size (such as 4096, 4k, 1.5G or 0x1000)", wanted);
		return tool_parse_size(text, &value) && is_within(option, value);
	case TOOL_NUMBER:
		tell_range(option, "a number", wanted);
		return parse_number(text, &value) && is_within(option, value);
	case TOOL_MODE:
		snprintf(wanted, VALUES_WANTED, "permission bits in octal, such as 640");
		return parse_mode(text, option->target);
	case TOOL_TEXT:
		snprintf(wanted, VALUES_WANTED, "the name of a file");
		*(const char **)option->target = text;
		return *text != '\0';
	case TOOL_BLOCKS:
		snprintf(wanted, VALUES_WANTED, "blocks as N, FIRST-LAST or FIRST-");
		return parse_blocks(text, option->target);
	}
	return false;
}
