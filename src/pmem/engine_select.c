/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine_select.h"

#include "generic/kernels.h"

void engine_select(struct engine *e, const struct engine_cpu *cpu,
		   const struct config *config, bool auto_flush)
{
	unsigned features = cpu->features & ~config->disabled;
	const struct engine_flush *const *f = engine_flushes;
	const struct engine_kernel *const *k = engine_kernels;
	bool workaround;

	while ((*f)->needs & ~features)
		f++;
	while ((*k)->needs & ~features)
		k++;
	workaround =
	    config->wc_workaround < 0 ? cpu->evicts_wc : config->wc_workaround == 1;
	*e = (struct engine){
	    .flush_backend = *f,
	    .kernel = *k,
	    .fence = (*f)->fence,
	    .flushing = config->no_flush < 0 ? !auto_flush : config->no_flush == 0,
	    .nt_threshold =
		config->has_nt_threshold ? config->nt_threshold : ENGINE_NT_THRESHOLD,
	    .nt_burst = workaround && (*k)->wc_bursts ? ENGINE_WC_BURST : SIZE_MAX,
	};
	e->flush = e->flushing ? (*f)->flush : flush_none.flush;
	e->nt = e->flushing && (*k)->set_nt;
	e->clwb = e->flushing && (*f)->needs & ENGINE_CLWB;
	e->keeps_lines = e->clwb || !e->flushing;
}
