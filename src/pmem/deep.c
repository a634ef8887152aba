/* SPDX-License-Identifier: BSD-3-Clause */
#include "deep.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine.h"
#include "errormsg.h"
#include "is_pmem.h"
#include "memcheck.h"
#include "region.h"

/* The kernel rounds the end up to a page, and does not notice if that wraps around. */
static int check_range(const void *addr, size_t len)
{
	uintptr_t max = UINTPTR_MAX - ((uintptr_t)sysconf(_SC_PAGESIZE) - 1);

	if ((uintptr_t)addr > max || len > max - (uintptr_t)addr)
		return errormsg_fail(
		    EINVAL, "the range of %zu bytes at %p exceeds the address space", len,
		    addr);
	return 0;
}

static int sync_pages(uintptr_t begin, uintptr_t end)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = begin & ~(page - 1);
	int ret;

	memcheck_begin_sync((void *)begin, end - begin);
	/*
	 * A signal interrupts it on some file systems. Then nothing has failed: repeat
	 * it.
	 */
	do
		ret = msync((void *)from, end - from, MS_SYNC);
	while (ret != 0 && errno == EINTR);
	memcheck_end_sync();
	if (ret != 0)
		return errormsg_fail_sys(errno, "msync of %zu bytes at %p",
					 (size_t)(end - begin), (void *)begin);
	return 0;
}

int deep_msync(const void *addr, size_t len)
{
	int ret = len ? check_range(addr, len) : 0;

	if (ret < 0 || len == 0)
		return ret;
	return sync_pages((uintptr_t)addr, (uintptr_t)addr + len);
}

static int drain_region(int region)
{
	engine.fence();
	return region == IS_PMEM_NO_REGION ? 0 : region_deep_flush(region);
}

int deep_drain(const void *addr, size_t len)
{
	uintptr_t at = (uintptr_t)addr;
	uintptr_t end = at + len;
	struct is_pmem_range range = {0};
	int ret = len ? check_range(addr, len) : 0;

	while (ret == 0 && at < end) {
		bool known = is_pmem_find(at, &range) && range.begin < end;
		uintptr_t stop = !known		    ? end
				 : range.begin > at ? range.begin
						    : range.end;

		if (stop > end)
			stop = end;
		if (known && range.begin <= at && range.region != IS_PMEM_FILE)
			ret = drain_region(range.region);
		else
			ret = sync_pages(at, stop);
		at = stop;
	}
	return ret;
}
