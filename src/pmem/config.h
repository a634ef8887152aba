/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The environment variables of libpmem, read here and nowhere else (PMEM_MMAP_HINT
 * belongs to the mapper). Programs that run with more rights than their caller ignore all
 * of them.
 */
#ifndef CONFIG_H
#define CONFIG_H 1

#include <stdbool.h>
#include <stddef.h>

struct config {
	/* features (engine.h) not to be used although the CPU has them */
	unsigned disabled;
	int no_flush; /* PMEM_NO_FLUSH: 0 always flush, 1 never, -1 as the platform says */
	int wc_workaround; /* PMEM_WC_WORKAROUND: 0, 1, -1 as the CPU needs it */
	bool has_nt_threshold;
	size_t nt_threshold;
};

/* How a variable is looked up; tests have their own environment. */
typedef char *config_lookup(const char *name);

/* Reads everything but PMEM_IS_PMEM_FORCE. */
void config_read(struct config *config, config_lookup *lookup);

/* PMEM_IS_PMEM_FORCE: 0, 1, or -1 when the mappings decide. */
int config_read_is_pmem_force(config_lookup *lookup);

/*
 * PMEM_IS_PMEM_FORCE of this process, read at the first call and then kept: a program may
 * set it in main. Threads may race for the first call; all get the same answer.
 */
int config_is_pmem_force(void);

#endif
