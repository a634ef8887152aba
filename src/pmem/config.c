/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "engine.h"

/*
 * Reads a number at the start of the text and ignores the rest. False if there is no
 * number.
 */
static bool parse_number(const char *text, long long *value)
{
	char *end;

	*value = strtoll(text, &end, 10);
	return end != text;
}

static bool is(const char *text, const char *what)
{
	return strcmp(text, what) == 0;
}

static void disable_if_1(struct config *config, unsigned feature, const char *text)
{
	if (is(text, "1"))
		config->disabled |= feature;
}

static void disable_if_0(struct config *config, unsigned feature, const char *text)
{
	if (is(text, "0"))
		config->disabled |= feature;
}

static void enable_unless_0(struct config *config, unsigned feature, const char *text)
{
	if (!is(text, "0"))
		config->disabled &= ~feature;
}

static void disable_if_number(struct config *config, unsigned feature, const char *text)
{
	long long value;

	if (parse_number(text, &value) && value != 0)
		config->disabled |= feature;
}

static void set_no_flush(struct config *config, unsigned feature, const char *text)
{
	(void)feature;
	if (is(text, "0") || is(text, "1"))
		config->no_flush = text[0] - '0';
}

static void set_wc_workaround(struct config *config, unsigned feature, const char *text)
{
	(void)feature;
	if (is(text, "0") || is(text, "1"))
		config->wc_workaround = text[0] - '0';
}

static void set_nt_threshold(struct config *config, unsigned feature, const char *text)
{
	long long value;

	(void)feature;
	if (!parse_number(text, &value) || value < 0)
		return;
	config->has_nt_threshold = true;
	config->nt_threshold = (size_t)value;
}

static const struct {
	const char *name;
	void (*apply)(struct config *config, unsigned feature, const char *text);
	unsigned feature;
} variables[] = {
    {"PMEM_NO_FLUSH", set_no_flush, 0},
    {"PMEM_NO_CLWB", disable_if_1, ENGINE_CLWB},
    {"PMEM_NO_CLFLUSHOPT", disable_if_1, ENGINE_CLFLUSHOPT},
    {"PMEM_AVX", disable_if_0, ENGINE_AVX},
    {"PMEM_AVX512F", disable_if_0, ENGINE_AVX512F},
    {"PMEM_MOVDIR64B", enable_unless_0, ENGINE_MOVDIR64B},
    {"PMEM_NO_MOVNT", disable_if_1, ENGINE_SIMD},
    {"PMEM_NO_GENERIC_MEMCPY", disable_if_number, ENGINE_PORTABLE},
    {"PMEM_MOVNT_THRESHOLD", set_nt_threshold, 0},
    {"PMEM_WC_WORKAROUND", set_wc_workaround, 0},
};

void config_read(struct config *config, config_lookup *lookup)
{
	*config = (struct config){
	    .disabled = ENGINE_MOVDIR64B,
	    .no_flush = -1,
	    .wc_workaround = -1,
	};
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		const char *text = lookup(variables[i].name);

		if (text)
			variables[i].apply(config, variables[i].feature, text);
	}
}

int config_read_is_pmem_force(config_lookup *lookup)
{
	const char *text = lookup("PMEM_IS_PMEM_FORCE");
	long long value;

	if (!text || !parse_number(text, &value) || (value != 0 && value != 1))
		return -1;
	return (int)value;
}

int config_is_pmem_force(void)
{
	enum { UNREAD = -2 };
	static atomic_int force = UNREAD;
	/* The value is all that is shared, so relaxed order is enough. */
	int value = atomic_load_explicit(&force, memory_order_relaxed);
	int unread = UNREAD;
	int before;

	if (likely(value != UNREAD))
		return value;
	before = errno; /* strtoll changes errno for a number out of range */
	value = config_read_is_pmem_force(secure_getenv);
	errno = before;
	if (!atomic_compare_exchange_strong(&force, &unread, value))
		value = unread;
	return value;
}
