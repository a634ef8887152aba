/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Maps a file or device with libpmem and exits with 0 if the mapping is what it should be.
 *
 *	map pmem PATH LENGTH		persistent memory; LENGTH 0: as it is
 *	map file PATH LENGTH REASON	no persistent memory, the message names REASON
 *	map autoflush VALUE		what pmem_has_auto_flush() returns
 *	map wipe PATH LENGTH		zeros the beginning
 *	map zero PATH LENGTH		the beginning is zero
 *	map bad PATH OFFSET		a load from there raises SIGBUS
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

#include <libpmem.h>

#include "guest.h"

/* Whether the mapping that holds addr has the flag "sf": a page fault is synchronous. */
static bool is_sync_fault(const char *addr)
{
	char line[4096];
	bool inside = false;
	FILE *smaps = fopen("/proc/self/smaps", "re");

	if (!smaps)
		die("/proc/self/smaps: %s", strerror(errno));
	while (fgets(line, sizeof(line), smaps)) {
		uintptr_t from, to;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			inside = from <= (uintptr_t)addr && (uintptr_t)addr < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			break;
	}
	fclose(smaps);
	if (!inside)
		die("the mapping is not in smaps");
	return strstr(line, " sf ") || strstr(line, " sf\n");
}

static char *map(const char *path, size_t len, size_t *mapped, int *is_pmem)
{
	char *p =
	    pmem_map_file(path, len, len ? PMEM_FILE_CREATE : 0, 0600, mapped, is_pmem);

	if (!p)
		die("%s: %s", path, pmem_errormsg());
	return p;
}

static void expect_mapping(const char *path, size_t len, bool want, const char *reason)
{
	size_t mapped;
	int is_pmem;
	char *p = map(path, len, &mapped, &is_pmem);
	/* A device DAX has no msync. */
	bool device = strncmp(path, "/dev/dax", 8) == 0;

	printf("%s: is_pmem %d, %s\n", path, is_pmem, is_pmem ? "" : pmem_errormsg());
	if (is_pmem != want || pmem_is_pmem(p, mapped) != want ||
	    is_sync_fault(p) != want)
		die("%s: is_pmem is %d, synchronous page faults %d", path, is_pmem,
		    is_sync_fault(p));
	if (!want && !strstr(pmem_errormsg(), reason))
		die("%s: %s", path, pmem_errormsg());
	pmem_memset_persist(p, 0x5a, mapped < 1u << 20 ? mapped : 1u << 20);
	pmem_memcpy_persist(p + 4000, "written", 8);
	if (pmem_deep_persist(p, mapped) != 0 || pmem_deep_drain(p, mapped) != 0)
		die("%s: pmem_deep_persist: %s", path, pmem_errormsg());
	if (device ? pmem_msync(p, 4096) != -1 || errno != EINVAL
		   : pmem_msync(p, mapped) != 0)
		die("%s: pmem_msync: %s", path, strerror(errno));
	if (pmem_unmap(p, mapped) != 0 || pmem_is_pmem(p, 1))
		die("%s: cannot be unmapped", path);
	p = map(path, 0, &mapped, &is_pmem);
	if (strcmp(p + 4000, "written") != 0 || p[3999] != 0x5a)
		die("%s: has other contents when it is mapped again", path);
	if (pmem_unmap(p, mapped) != 0)
		die("%s: %s", path, pmem_errormsg());
}

static sigjmp_buf escape;

static void on_bus_error(int sig)
{
	(void)sig;
	siglongjmp(escape, 1);
}

static void expect_bad(const char *path, uint64_t off)
{
	size_t mapped;
	int is_pmem;
	volatile char *p = map(path, 0, &mapped, &is_pmem);
	struct sigaction action = {.sa_handler = on_bus_error};

	sigaction(SIGBUS, &action, NULL);
	if (sigsetjmp(escape, 1) == 0) {
		(void)p[off];
		die("%s: offset %" PRIu64 " can be read", path, off);
	}
}

static void expect_zero(const char *path, size_t len)
{
	size_t mapped;
	int is_pmem;
	const char *p = map(path, 0, &mapped, &is_pmem);

	for (size_t i = 0; i < len; i++)
		if (p[i])
			die("%s: byte %zu is not zero", path, i);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	assert_ours((const void *)(uintptr_t)pmem_map_file);
	if (!strcmp(command, "pmem") && argc == 4) {
		expect_mapping(argv[2], number(argv[3]), true, NULL);
	} else if (!strcmp(command, "file") && argc == 5) {
		expect_mapping(argv[2], number(argv[3]), false, argv[4]);
	} else if (!strcmp(command, "autoflush") && argc == 3) {
		int got = pmem_has_auto_flush();

		if (got != (int)number(argv[2]))
			die("pmem_has_auto_flush() returns %d", got);
	} else if (!strcmp(command, "wipe") && argc == 4) {
		size_t mapped;
		int is_pmem;

		pmem_memset_persist(map(argv[2], 0, &mapped, &is_pmem), 0,
				    number(argv[3]));
	} else if (!strcmp(command, "zero") && argc == 4) {
		expect_zero(argv[2], number(argv[3]));
	} else if (!strcmp(command, "bad") && argc == 4) {
		expect_bad(argv[2], number(argv[3]));
	} else {
		die("usage: see the top of tests/dax/map.c");
	}
	return 0;
}
