/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Instructions that cannot run on the test machines: the code that the assembler made must be the
 * one in the architecture's manual.
 */
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "support.h"

/* Looks for an instruction word with these bits in the first bytes of a function. */
__attribute__((unused)) static bool has_word(const void *function, uint32_t mask,
					     uint32_t bits)
{
	const unsigned char *p = function;

	for (size_t i = 0; i < 256; i += 2) {
		uint32_t word;

		memcpy(&word, p + i, 4);
		if ((word & mask) == bits)
			return true;
	}
	return false;
}

static const void *code(void (*function)(const void *, size_t))
{
	const void *p;

	memcpy(&p, &function, sizeof(p));
	return p;
}

static const struct engine_flush *backend(const char *name)
{
	for (size_t i = 0; engine_flushes[i]; i++)
		if (strcmp(engine_flushes[i]->name, name) == 0)
			return engine_flushes[i];
	fail();
	return NULL;
}

#if defined(__x86_64__)

/*
 * The number of bytes to search: compilers put the loop at different places of a function. The
 * functions have at most about 700 bytes, and other functions of the same file follow.
 */
#define REACH 1024

/* 66 0F 38 F8 /r: the prefix, the opcode, a memory operand. */
static bool has_movdir64b(const void *function)
{
	const unsigned char *p = function;

	for (size_t i = 0; i < REACH; i++)
		if (memcmp(p + i, "\x66\x0f\x38\xf8", 4) == 0 && p[i + 4] < 0xc0)
			return true;
	return false;
}

static void direct_stores_are_movdir64b(void **state)
{
	const struct engine_kernel *k = engine_kernels[0];
	const void *p;

	(void)state;
	assert_string_equal(k->name, "movdir64b");
	memcpy(&p, &k->move_nt_forward, sizeof(p));
	assert_true(has_movdir64b(p));
	memcpy(&p, &k->move_nt_backward, sizeof(p));
	assert_true(has_movdir64b(p));
	memcpy(&p, &k->set_nt, sizeof(p));
	assert_true(has_movdir64b(p));
	/* It is not in another function, so the search can fail. */
	assert_false(has_movdir64b(code(engine_flushes[0]->flush)));
}

/* The bytes to search from one flush on: the next one may follow closely. */
static size_t reach_of_flush(const unsigned char *begin)
{
	uintptr_t reach = REACH;

	for (size_t i = 0; engine_flushes[i]; i++) {
		uintptr_t at = (uintptr_t)code(engine_flushes[i]->flush);

		if (at > (uintptr_t)begin && at - (uintptr_t)begin < reach)
			reach = at - (uintptr_t)begin;
	}
	return reach;
}

/* clflush 0F AE /7, clflushopt 66 0F AE /7, clwb 66 0F AE /6 */
static void flushes_are_what_they_are_called(void **state)
{
	static const struct {
		const char *name;
		unsigned prefix;
		unsigned digit;
	} rows[] = {{"clflush", 0, 7}, {"clflushopt", 0x66, 7}, {"clwb", 0x66, 6}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const unsigned char *p = code(backend(rows[i].name)->flush);
		size_t reach = reach_of_flush(p);
		bool found = false;

		for (size_t j = 1; j + 2 < reach && !found; j++)
			found = p[j] == 0x0f && p[j + 1] == 0xae && p[j + 2] < 0xc0 &&
				(p[j + 2] >> 3 & 7) == rows[i].digit &&
				(p[j - 1] == 0x66) == (rows[i].prefix == 0x66);
		if (!found)
			fail_msg("%s", rows[i].name);
	}
}

#elif defined(__aarch64__)

/* DC operations are SYS #3, C7, Cm, #1, Xt. */
static void cleaning_is_what_it_is_called(void **state)
{
	const uint32_t mask = 0xffffffe0;

	(void)state;
	assert_true(has_word(code(backend("dc cvac")->flush), mask, 0xd50b7a20));
	assert_true(has_word(code(backend("dc cvap")->flush), mask, 0xd50b7c20));
	assert_true(has_word(code(backend("dc cvap, deep dc cvadp")->deep_flush), mask,
			     0xd50b7d20));
	assert_false(has_word(code(backend("dc cvac")->flush), mask, 0xd50b7b20));
}

static void the_drain_is_a_dsb(void **state)
{
	const void *p;

	(void)state;
	memcpy(&p, &engine_flushes[0]->fence, sizeof(p));
	assert_true(has_word(p, 0xffffffff, 0xd5033f9f)); /* dsb sy */
}

#elif defined(__riscv)

/* MISC-MEM, function 2, rd x0; the immediate: 1 clean, 2 flush, 0 invalidate. */
static void block_management_is_what_it_is_called(void **state)
{
	const struct engine_flush *f = backend("cbo.clean, deep cbo.flush");
	const uint32_t mask = 0xfff07fff;

	(void)state;
	assert_true(has_word(code(f->flush), mask, 0x0010200f));
	assert_true(has_word(code(f->deep_flush), mask, 0x0020200f));
	assert_false(has_word(code(f->flush), mask, 0x0000200f));
}

#endif

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
		cmocka_unit_test(direct_stores_are_movdir64b),
		cmocka_unit_test(flushes_are_what_they_are_called),
#elif defined(__aarch64__)
		cmocka_unit_test(cleaning_is_what_it_is_called),
		cmocka_unit_test(the_drain_is_a_dsb),
#elif defined(__riscv)
		cmocka_unit_test(block_management_is_what_it_is_called),
#endif
	};

	if (is_set("SAN") || is_set("COV")) {
		puts("skipped: code with instrumentation looks different");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
