/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * riscv_hwprobe(2) tells whether programs may use Zicbom. Without Zicbom user space
 * cannot write cache lines back, and no mapping counts as persistent memory.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "generic/kernels.h"
#include "riscv64/tables.h"

/* The kernel's numbers, for headers that are older. */
#define SYS_RISCV_HWPROBE 258
#define KEY_EXTENSIONS 4
#define KEY_ZICBOM_BLOCK_SIZE 12
#define HAS_ZICBOM (1ull << 55)

struct probe {
	int64_t key; /* the kernel sets it to -1 if it does not know the key */
	uint64_t value;
};

void engine_detect(struct engine_cpu *cpu)
{
	struct probe probes[] = {{KEY_EXTENSIONS, 0}, {KEY_ZICBOM_BLOCK_SIZE, 0}};
	uint64_t block;

	*cpu = (struct engine_cpu){.features = ENGINE_PORTABLE};
	if (syscall(SYS_RISCV_HWPROBE, probes, 2, 0, NULL, 0) != 0)
		return;
	block = probes[1].value;
	if (probes[0].key != KEY_EXTENSIONS || !(probes[0].value & HAS_ZICBOM) ||
	    probes[1].key != KEY_ZICBOM_BLOCK_SIZE || block == 0 ||
	    (block & (block - 1)) != 0)
		return;
	flush_cbo_block = block;
	cpu->features |= ENGINE_ZICBOM;
}

const struct engine_flush *const engine_flushes[] = {
    &flush_cbo,
    &flush_none,
    NULL,
};

const struct engine_kernel *const engine_kernels[] = {
    &copy_portable,
    &copy_libc,
    NULL,
};
