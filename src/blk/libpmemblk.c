/* SPDX-License-Identifier: BSD-3-Clause */
/* The library itself: load and unload, version, message, settings. */
#include <libpmemblk.h>

#include <errno.h>

#include "base/alloc.h"
#include "base/ctl.h"
#include "base/ctl_config.h"
#include "edge.h"
#include "errormsg.h"
#include "log.h"
#include "mapping.h"
#include "pool/pool.h"
#include "storage/sigbus.h"
#include "version_note.h"

VERSION_NOTE("libpmemblk");

__attribute__((constructor)) static void load(void)
{
	struct edge edge = edge_enter(true);

	log_load("libpmemblk", "PMEMBLK");
	mapping_init();
	sigbus_setup();
	pool_setup();
	ctl_config_load();
	edge_leave(edge, 0);
}

__attribute__((destructor)) static void unload(void)
{
	log_unload();
}

API_EXPORT const char *pmemblk_check_version(unsigned major_required,
					     unsigned minor_required)
{
	if (major_required != PMEMBLK_MAJOR_VERSION)
		errormsg_set("libpmemblk major version mismatch (need %u, found %u)",
			     major_required, PMEMBLK_MAJOR_VERSION);
	else if (minor_required > PMEMBLK_MINOR_VERSION)
		errormsg_set("libpmemblk minor version mismatch (need %u, found %u)",
			     minor_required, PMEMBLK_MINOR_VERSION);
	else
		return NULL;
	return errormsg_get();
}

API_EXPORT const char *pmemblk_errormsg(void)
{
	return errormsg_get();
}

API_EXPORT void pmemblk_set_funcs(void *(*malloc_func)(size_t), void (*free_func)(void *),
				  void *(*realloc_func)(void *, size_t),
				  char *(*strdup_func)(const char *))
{
	alloc_set_funcs(malloc_func, free_func, realloc_func, strdup_func);
}

/* Callers see EINVAL for every error in a query. */
static int finish(int ret)
{
	if (ret == 0)
		return 0;
	errno = EINVAL;
	return -1;
}

API_EXPORT int pmemblk_ctl_get(PMEMblkpool *pbp, const char *name, void *arg)
{
	(void)pbp;
	return finish(ctl_get(name, arg));
}

API_EXPORT int pmemblk_ctl_set(PMEMblkpool *pbp, const char *name, void *arg)
{
	(void)pbp;
	return finish(ctl_set(name, arg));
}

API_EXPORT int pmemblk_ctl_exec(PMEMblkpool *pbp, const char *name, void *arg)
{
	(void)pbp;
	(void)arg;
	return finish(ctl_exec(name));
}
