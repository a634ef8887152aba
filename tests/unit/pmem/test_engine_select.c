/* SPDX-License-Identifier: BSD-3-Clause */
/* Which backend and kernel a CPU and a configuration get, on every architecture. */
#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "engine_select.h"
#include "generic/kernels.h"
#include "support.h"
#ifdef __x86_64__
#include "x86_64/features.h"
#endif

static const struct config plain = {
    .disabled = ENGINE_MOVDIR64B,
    .no_flush = -1,
    .wc_workaround = -1,
};

static struct engine choose(unsigned features, unsigned disabled)
{
	struct engine_cpu cpu = {.features = features | ENGINE_PORTABLE};
	struct config config = plain;
	struct engine e;

	config.disabled |= disabled;
	engine_select(&e, &cpu, &config, false);
	return e;
}

static void what_is_chosen_needs_nothing_that_is_missing(void **state)
{
	(void)state;
	for (unsigned have = 0; have < 1u << 13; have++)
		for (unsigned bit = 0; bit <= 13; bit++) {
			unsigned disabled = bit == 13 ? ENGINE_SIMD : 1u << bit;
			unsigned usable =
			    (have | ENGINE_PORTABLE) & ~(disabled | ENGINE_MOVDIR64B);
			struct engine e = choose(have, disabled);

			assert_int_equal(e.flush_backend->needs & ~usable, 0);
			assert_int_equal(e.kernel->needs & ~usable, 0);
			assert_ptr_equal(e.flush, e.flush_backend->flush);
			assert_ptr_equal(e.fence, e.flush_backend->fence);
		}
}

static void every_backend_and_kernel_is_chosen_by_a_cpu_that_has_just_it(void **state)
{
	struct engine_cpu cpu;
	struct config config = plain;
	struct engine e;

	(void)state;
	config.disabled = 0;
	for (size_t i = 0; engine_flushes[i]; i++) {
		cpu = (struct engine_cpu){.features = engine_flushes[i]->needs};
		engine_select(&e, &cpu, &config, false);
		assert_string_equal(e.flush_backend->name, engine_flushes[i]->name);
	}
	for (size_t i = 0; engine_kernels[i]; i++) {
		cpu = (struct engine_cpu){.features = engine_kernels[i]->needs};
		engine_select(&e, &cpu, &config, false);
		assert_string_equal(e.kernel->name, engine_kernels[i]->name);
	}
}

static void the_lists_end_with_something_for_every_cpu(void **state)
{
	struct engine e = choose(0, ENGINE_PORTABLE);

	(void)state;
	assert_int_equal(e.flush_backend->needs, 0);
	assert_ptr_equal(e.kernel, &copy_libc);
	assert_ptr_equal(choose(0, 0).kernel, &copy_portable);
	assert_false(flush_none.durable);
}

#ifdef __x86_64__
/* The kernel lists what the CPU has, and what programs may use of it. */
static void what_is_detected_is_what_the_kernel_lists(void **state)
{
	static const struct {
		const char *name;
		unsigned feature;
	} rows[] = {{" clflush ", ENGINE_CLFLUSH},
		    {" clflushopt ", ENGINE_CLFLUSHOPT},
		    {" clwb ", ENGINE_CLWB},
		    {" sse2 ", ENGINE_SSE2},
		    {" avx ", ENGINE_AVX},
		    {" avx512f ", ENGINE_AVX512F},
		    {" movdir64b ", ENGINE_MOVDIR64B}};
	FILE *f = fopen("/proc/cpuinfo", "re");
	struct engine_cpu cpu = {0};
	char line[8192] = "";

	(void)state;
	while (f && strncmp(line, "flags", 5) != 0 && fgets(line, sizeof(line) - 1, f))
		;
	if (f)
		fclose(f);
	if (strncmp(line, "flags", 5) != 0)
		skip();
	line[strcspn(line, "\n")] = ' ';
	engine_detect(&cpu);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strstr(line, rows[i].name) != !(cpu.features & rows[i].feature))
			fail_msg("%s", rows[i].name);
}

static void x86_64_prefers_the_newest(void **state)
{
	const unsigned flushes = ENGINE_CLFLUSH | ENGINE_CLFLUSHOPT | ENGINE_CLWB;
	const unsigned vectors = ENGINE_SSE2 | ENGINE_AVX | ENGINE_AVX512F;
	static const struct {
		unsigned disabled;
		const char *flush;
		const char *kernel;
	} rows[] = {
	    {0, "clwb", "avx512f"},
	    {ENGINE_CLWB, "clflushopt", "avx512f"},
	    {ENGINE_CLWB | ENGINE_CLFLUSHOPT, "clflush", "avx512f"},
	    {ENGINE_AVX512F, "clwb", "avx"},
	    {ENGINE_AVX, "clwb", "avx512f"},
	    {ENGINE_AVX | ENGINE_AVX512F, "clwb", "sse2"},
	    {ENGINE_SIMD, "clwb", "portable"},
	    {ENGINE_SIMD | ENGINE_PORTABLE, "clwb", "libc"},
	    {ENGINE_PORTABLE, "clwb", "avx512f"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct engine e = choose(flushes | vectors, rows[i].disabled);
		const char *kernel = rows[i].kernel;

		assert_string_equal(e.flush_backend->name, rows[i].flush);
		assert_string_equal(e.kernel->name, kernel);
		/* AMD's CPUs have kernels of their own, which the same variables turn off */
		e = choose(flushes | vectors | ENGINE_ZEN, rows[i].disabled);
		assert_int_equal(
		    e.kernel->wc_bursts,
		    choose(flushes | vectors, rows[i].disabled).kernel->wc_bursts);
		assert_string_equal(e.kernel->name, !strcmp(kernel, "avx512f")
							? "avx512f-zen"
						    : !strcmp(kernel, "avx") ? "avx-zen"
									     : kernel);
	}
}

/* Bits as the architecture's manual numbers them. */
enum {
	C1_OSXSAVE = 1u << 27,
	C1_AVX = 1u << 28,
	D1_CLFLUSH = 1u << 19,
	B7_AVX512F = 1u << 16,
	B7_CLFLUSHOPT = 1u << 23,
	B7_CLWB = 1u << 24,
	C7_MOVDIR64B = 1u << 28,
	XCR0_X87 = 1u << 0,
	XCR0_SSE = 1u << 1,
	XCR0_YMM = 1u << 2,
	XCR0_OPMASK = 1u << 5,
	XCR0_ZMM_LOW = 1u << 6,
	XCR0_ZMM_HIGH = 1u << 7,
	XCR0_ALL =
	    XCR0_X87 | XCR0_SSE | XCR0_YMM | XCR0_OPMASK | XCR0_ZMM_LOW | XCR0_ZMM_HIGH,
};

static void x86_64_vectors_count_when_the_system_saves_their_registers(void **state)
{
	static const struct {
		unsigned leaf1_ecx, leaf7_ebx, xcr0;
		unsigned vectors;
		const char *kernel;
	} rows[] = {
	    {C1_OSXSAVE | C1_AVX, B7_AVX512F, XCR0_ALL, ENGINE_AVX | ENGINE_AVX512F,
	     "avx512f"},
	    {C1_OSXSAVE | C1_AVX, 0, XCR0_ALL, ENGINE_AVX, "avx"},
	    {C1_OSXSAVE | C1_AVX, 0, XCR0_SSE | XCR0_YMM, ENGINE_AVX, "avx"},
	    /* the system does not use XSAVE, so XCR0 does not count */
	    {C1_AVX, 0, XCR0_ALL, 0, "sse2"},
	    {C1_AVX, B7_AVX512F, XCR0_ALL, 0, "sse2"},
	    /* the system uses XSAVE, but not for these registers */
	    {C1_OSXSAVE | C1_AVX, 0, XCR0_X87 | XCR0_SSE, 0, "sse2"},
	    {C1_OSXSAVE | C1_AVX, 0, XCR0_ALL & ~XCR0_YMM, 0, "sse2"},
	    {C1_OSXSAVE | C1_AVX, 0, XCR0_ALL & ~XCR0_SSE, 0, "sse2"},
	    {C1_OSXSAVE | C1_AVX, B7_AVX512F, XCR0_ALL & ~XCR0_YMM, 0, "sse2"},
	    {C1_OSXSAVE | C1_AVX, B7_AVX512F, XCR0_ALL & ~XCR0_SSE, 0, "sse2"},
	    {C1_OSXSAVE | C1_AVX, B7_AVX512F, XCR0_X87 | XCR0_SSE | XCR0_YMM, ENGINE_AVX,
	     "avx"},
	    {C1_OSXSAVE | C1_AVX, B7_AVX512F, XCR0_ALL & ~XCR0_OPMASK, ENGINE_AVX, "avx"},
	    {C1_OSXSAVE | C1_AVX, B7_AVX512F, XCR0_ALL & ~XCR0_ZMM_LOW, ENGINE_AVX,
	     "avx"},
	    {C1_OSXSAVE | C1_AVX, B7_AVX512F, XCR0_ALL & ~XCR0_ZMM_HIGH, ENGINE_AVX,
	     "avx"},
	    /* the registers are saved, but the CPU does not announce the instructions */
	    {C1_OSXSAVE, 0, XCR0_ALL, 0, "sse2"},
	    {C1_OSXSAVE, B7_AVX512F, XCR0_ALL, 0, "sse2"},
	    {0, 0, 0, 0, "sse2"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct features_raw raw = {.leaf1_ecx = rows[i].leaf1_ecx,
					   .leaf7_ebx = rows[i].leaf7_ebx,
					   .xcr0 = rows[i].xcr0};
		struct config config = plain;
		struct engine_cpu cpu;
		struct engine e;

		features_decode(&raw, &cpu);
		engine_select(&e, &cpu, &config, false);
		if (cpu.features != (ENGINE_PORTABLE | ENGINE_SSE2 | rows[i].vectors) ||
		    strcmp(e.kernel->name, rows[i].kernel) != 0)
			fail_msg("row %zu: features %#x, kernel %s", i, cpu.features,
				 e.kernel->name);
		/* XGETBV must not be executed where it traps */
		assert_int_equal(features_has_xcr0(&raw),
				 (rows[i].leaf1_ecx & C1_OSXSAVE) != 0);
	}
}

static void x86_64_features_come_from_their_own_bits(void **state)
{
	static const struct {
		struct features_raw raw;
		unsigned feature;
	} rows[] = {
	    {{.leaf1_edx = D1_CLFLUSH}, ENGINE_CLFLUSH},
	    {{.leaf7_ebx = B7_CLFLUSHOPT}, ENGINE_CLFLUSHOPT},
	    {{.leaf7_ebx = B7_CLWB}, ENGINE_CLWB},
	    {{.leaf7_ecx = C7_MOVDIR64B}, ENGINE_MOVDIR64B},
	    {{.leaf1_edx = ~(unsigned)D1_CLFLUSH}, 0},
	    {{.leaf7_ebx = ~(unsigned)(B7_CLFLUSHOPT | B7_CLWB)}, 0},
	    {{.leaf7_ecx = ~(unsigned)C7_MOVDIR64B}, 0},
	};
	struct features_raw vendor = {.vendor = {0}};
	struct engine_cpu cpu;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		features_decode(&rows[i].raw, &cpu);
		assert_int_equal(cpu.features,
				 ENGINE_PORTABLE | ENGINE_SSE2 | rows[i].feature);
		assert_false(cpu.evicts_wc);
	}
	memcpy(vendor.vendor, "GenuineIntel", sizeof(vendor.vendor));
	features_decode(&vendor, &cpu);
	assert_true(cpu.evicts_wc);
	assert_false(cpu.features & ENGINE_ZEN);
	memcpy(vendor.vendor, "AuthenticAMD", sizeof(vendor.vendor));
	features_decode(&vendor, &cpu);
	assert_false(cpu.evicts_wc);
	assert_true(cpu.features & ENGINE_ZEN);
}

static void x86_64_reads_the_vendor_of_this_cpu(void **state)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	struct engine_cpu cpu;
	char line[256];
	char vendor[32] = "";

	(void)state;
	if (!f)
		skip();
	while (!vendor[0] && fgets(line, sizeof(line), f))
		if (sscanf(line, "vendor_id : %31s", vendor) != 1)
			vendor[0] = '\0';
	fclose(f);
	engine_detect(&cpu);
	assert_int_equal(cpu.evicts_wc, strcmp(vendor, "GenuineIntel") == 0);
	assert_int_equal((cpu.features & ENGINE_ZEN) != 0,
			 strcmp(vendor, "AuthenticAMD") == 0);
}
#endif

static void flushing_follows_the_variable_and_else_the_platform(void **state)
{
	static const struct {
		int no_flush;
		bool auto_flush;
		bool flushing;
	} rows[] = {{-1, false, true}, {-1, true, false}, {0, false, true},
		    {0, true, true},   {1, false, false}, {1, true, false}};
	struct engine_cpu cpu;

	(void)state;
	engine_detect(&cpu);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config config = plain;
		struct engine e;

		config.no_flush = rows[i].no_flush;
		engine_select(&e, &cpu, &config, rows[i].auto_flush);
		assert_int_equal(e.flushing, rows[i].flushing);
		assert_ptr_equal(e.flush, rows[i].flushing ? e.flush_backend->flush
							   : flush_none.flush);
		/* Non-temporal stores need a fence even if nothing is flushed. */
		assert_ptr_equal(e.fence, e.flush_backend->fence);
	}
}

/* Which copies are flushed by an instruction of their own, and which are non-temporal. */
static void copies_use_what_the_chosen_backend_and_kernel_have(void **state)
{
	(void)state;
	for (size_t f = 0; engine_flushes[f]; f++)
		for (size_t k = 0; engine_kernels[k]; k++)
			for (int no_flush = 0; no_flush < 2; no_flush++) {
				struct engine_cpu cpu = {.features =
							     engine_flushes[f]->needs |
							     engine_kernels[k]->needs};
				struct config config = {.no_flush = no_flush,
							.wc_workaround = -1};
				struct engine e;

				engine_select(&e, &cpu, &config, false);
				assert_int_equal(
				    e.clwb,
				    !no_flush && !strcmp(e.flush_backend->name, "clwb"));
				assert_int_equal(e.nt, !no_flush && e.kernel->set_nt);
				assert_int_equal(e.keeps_lines, no_flush || e.clwb);
			}
}

static void the_write_combining_workaround_is_for_kernels_that_need_it(void **state)
{
	static const struct {
		bool evicts;
		int variable;
		bool on;
	} rows[] = {{false, -1, false}, {true, -1, true}, {true, 0, false},
		    {false, 0, false},	{false, 1, true}, {true, 1, true}};

	(void)state;
	for (size_t k = 0; engine_kernels[k]; k++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			struct engine_cpu cpu = {.features = engine_kernels[k]->needs,
						 .evicts_wc = rows[i].evicts};
			struct config config = plain;
			struct engine e;

			config.disabled = 0;
			config.wc_workaround = rows[i].variable;
			engine_select(&e, &cpu, &config, false);
			assert_int_equal(e.nt_burst, rows[i].on && e.kernel->wc_bursts
							 ? ENGINE_WC_BURST
							 : SIZE_MAX);
		}
}

static void the_threshold_comes_from_the_variable_if_it_is_set(void **state)
{
	struct engine_cpu cpu = {.features = ENGINE_PORTABLE};
	struct config config = plain;
	struct engine e;

	(void)state;
	engine_select(&e, &cpu, &config, false);
	assert_int_equal(e.nt_threshold, ENGINE_NT_THRESHOLD);
	config.has_nt_threshold = true;
	engine_select(&e, &cpu, &config, false);
	assert_int_equal(e.nt_threshold, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_chosen_needs_nothing_that_is_missing),
	    cmocka_unit_test(
		every_backend_and_kernel_is_chosen_by_a_cpu_that_has_just_it),
	    cmocka_unit_test(the_lists_end_with_something_for_every_cpu),
#ifdef __x86_64__
	    cmocka_unit_test(what_is_detected_is_what_the_kernel_lists),
	    cmocka_unit_test(x86_64_prefers_the_newest),
	    cmocka_unit_test(x86_64_vectors_count_when_the_system_saves_their_registers),
	    cmocka_unit_test(x86_64_reads_the_vendor_of_this_cpu),
	    cmocka_unit_test(x86_64_features_come_from_their_own_bits),
#endif
	    cmocka_unit_test(flushing_follows_the_variable_and_else_the_platform),
	    cmocka_unit_test(copies_use_what_the_chosen_backend_and_kernel_have),
	    cmocka_unit_test(the_write_combining_workaround_is_for_kernels_that_need_it),
	    cmocka_unit_test(the_threshold_comes_from_the_variable_if_it_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
