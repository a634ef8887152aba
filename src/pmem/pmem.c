/* SPDX-License-Identifier: BSD-3-Clause */
/* The entry points. They only connect the public contract to the parts. */
#include <errno.h>

#include "auto_flush.h"
#include "compiler.h"
#include "config.h"
#include "copy.h"
#include "deep.h"
#include "edge.h"
#include "engine.h"
#include "errormsg.h"
#include "is_pmem.h"
#include "libpmem.h"
#include "log.h"
#include "map_file.h"

/* Unknown flags are ignored. The debug variant logs them. */
static void note_unknown_flags(unsigned flags)
{
#ifdef DEBUG
	if (flags & ~PMEM_F_MEM_VALID_FLAGS) {
		errormsg_set("unknown flags %#x", flags & ~PMEM_F_MEM_VALID_FLAGS);
		LOG(LOG_LEVEL_ERROR, "%s", errormsg_get());
	}
#else
	(void)flags;
#endif
}

API_EXPORT void *pmem_map_file(const char *path, size_t len, int flags, mode_t mode,
			       size_t *mapped_lenp, int *is_pmemp)
{
	struct edge edge = edge_enter(true);
	struct map_file_result result;
	int ret = map_file(path, len, flags, mode, &result);
	int is_pmem;

	if (ret < 0) {
		edge_leave(edge, ret);
		return NULL;
	}
	is_pmem = is_pmemp ? pmem_is_pmem(result.addr, result.len) : !result.why_not;
	if (!is_pmem) {
		errormsg_set("%s is not persistent memory: %s", path,
			     result.why_not ? result.why_not : "PMEM_IS_PMEM_FORCE=0");
		LOG(LOG_LEVEL_INFO, "%s", errormsg_get());
	}
	LOG(LOG_LEVEL_NOTICE, "mapped %zu bytes of %s at %p", result.len, path,
	    result.addr);
	edge_leave(edge, 0);
	/*
	 * The call has not failed, but fio knows by this errno that it is not persistent
	 * memory.
	 */
	if (result.sync_refused)
		errno = EOPNOTSUPP;
	if (mapped_lenp)
		*mapped_lenp = result.len;
	if (is_pmemp)
		*is_pmemp = is_pmem;
	return result.addr;
}

API_EXPORT int pmem_unmap(void *addr, size_t len)
{
	struct edge edge = edge_enter(true);

	LOG(LOG_LEVEL_DEBUG, "%zu bytes at %p", len, addr);
	return edge_leave(edge, map_file_unmap(addr, len));
}

API_EXPORT int pmem_is_pmem(const void *addr, size_t len)
{
	int force = config_is_pmem_force();

	if (unlikely(force >= 0))
		return force && len > 0;
	return is_pmem_covers(addr, len);
}

API_EXPORT void pmem_flush(const void *addr, size_t len)
{
	engine.flush(addr, len);
}

API_EXPORT void pmem_drain(void)
{
	engine.fence();
}

API_EXPORT void pmem_persist(const void *addr, size_t len)
{
	engine.flush(addr, len);
	engine.fence();
}

API_EXPORT int pmem_msync(const void *addr, size_t len)
{
	struct edge edge = edge_enter(true);

	return edge_leave(edge, deep_msync(addr, len));
}

API_EXPORT int pmem_has_hw_drain(void)
{
	return 0;
}

API_EXPORT int pmem_has_auto_flush(void)
{
	struct edge edge = edge_enter(true);
	int ret = auto_flush_get();

	if (ret < 0)
		ret =
		    errormsg_fail_sys(-ret, "cannot understand the persistence domain of "
					    "a memory region");
	return edge_leave(edge, ret);
}

API_EXPORT void pmem_deep_flush(const void *addr, size_t len)
{
	engine.flush_backend->deep_flush(addr, len);
}

API_EXPORT int pmem_deep_drain(const void *addr, size_t len)
{
	struct edge edge = edge_enter(true);

	return edge_leave(edge, deep_drain(addr, len));
}

API_EXPORT int pmem_deep_persist(const void *addr, size_t len)
{
	engine.flush_backend->deep_flush(addr, len);
	return pmem_deep_drain(addr, len);
}

/* Not inlined, so that the path that only copies has no register to save. */
static NOINLINE void *move_by_flags(void *dest, const void *src, size_t len,
				    unsigned flags)
{
	return copy_move(&engine, dest, src, len, flags);
}

static inline void *move(void *dest, const void *src, size_t len, unsigned flags)
{
	note_unknown_flags(flags);
	if (copy_is_plain(len, flags))
		return engine.kernel->move(dest, src, len);
	return move_by_flags(dest, src, len, flags);
}

API_EXPORT void *pmem_memmove(void *pmemdest, const void *src, size_t len, unsigned flags)
{
	return move(pmemdest, src, len, flags);
}

API_EXPORT void *pmem_memcpy(void *pmemdest, const void *src, size_t len, unsigned flags)
{
	return move(pmemdest, src, len, flags);
}

API_EXPORT void *pmem_memset(void *pmemdest, int c, size_t len, unsigned flags)
{
	note_unknown_flags(flags);
	return copy_set(&engine, pmemdest, c, len, flags);
}

API_EXPORT void *pmem_memmove_persist(void *pmemdest, const void *src, size_t len)
{
	return copy_move(&engine, pmemdest, src, len, 0);
}

API_EXPORT void *pmem_memcpy_persist(void *pmemdest, const void *src, size_t len)
{
	return copy_move(&engine, pmemdest, src, len, 0);
}

API_EXPORT void *pmem_memset_persist(void *pmemdest, int c, size_t len)
{
	return copy_set(&engine, pmemdest, c, len, 0);
}

API_EXPORT void *pmem_memmove_nodrain(void *pmemdest, const void *src, size_t len)
{
	return copy_move(&engine, pmemdest, src, len, PMEM_F_MEM_NODRAIN);
}

API_EXPORT void *pmem_memcpy_nodrain(void *pmemdest, const void *src, size_t len)
{
	return copy_move(&engine, pmemdest, src, len, PMEM_F_MEM_NODRAIN);
}

API_EXPORT void *pmem_memset_nodrain(void *pmemdest, int c, size_t len)
{
	return copy_set(&engine, pmemdest, c, len, PMEM_F_MEM_NODRAIN);
}
