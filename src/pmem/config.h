/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The environment variables of libpmem. They are read here and nowhere else, except
 * PMEM_MMAP_HINT, which common/mapping.c reads. Programs that run with more rights than
 * their caller (set-user-ID, for instance) ignore all of them.
 */
#ifndef CONFIG_H
#define CONFIG_H 1

#include <stdbool.h>
#include <stddef.h>

struct config {
	/* features (engine.h) that must not be used although the CPU has them */
	unsigned disabled;
	int no_flush; /* PMEM_NO_FLUSH: 0 always flush, 1 never, -1 ask the platform */
	int wc_workaround; /* PMEM_WC_WORKAROUND: 0, 1, -1 if the CPU needs it */
	bool has_nt_threshold;
	size_t nt_threshold;
};

/* Looks a variable up; tests use an environment of their own. */
typedef char *config_lookup(const char *name);

/* Reads everything but PMEM_IS_PMEM_FORCE. */
void config_read(struct config *config, config_lookup *lookup);

/* PMEM_IS_PMEM_FORCE: 0, 1, or -1 when the mappings decide. */
int config_read_is_pmem_force(config_lookup *lookup);

/*
 * PMEM_IS_PMEM_FORCE of this process. It is read at the first call, so that a program can
 * set it in main, and then kept. Several threads may make the first call at once; all get
 * the same answer.
 */
int config_is_pmem_force(void);

#endif
