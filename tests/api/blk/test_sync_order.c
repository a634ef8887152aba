/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order in which a pool's parts reach the disk. Each sync is noted as a letter: 'd' only the page
 * of the descriptor, 'b' the pages of the header and the descriptor, '1' or '0' only the page of the
 * header, with its mark "open" or "closed", 'z' the same, all zero, 'm' anything else.
 */
#include <libpmemblk.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "byteblock.h"
#include "image.h"
#include "support.h"

#define SIZE ((size_t)17 << 20)
#define PAGE ((size_t)4096)

static const char *path;
static char syncs[64];

/* Where the pool's file is mapped. */
static unsigned char *find_mapping(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[600];
	unsigned char *start = NULL;

	if (!maps)
		abort();
	while (!start && fgets(line, sizeof(line), maps))
		if (strstr(line, path))
			start = (unsigned char *)strtoul(line, NULL, 16); /* NOLINT */
	fclose(maps);
	return start;
}

static bool is_zero(const unsigned char *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE - 1) == 0;
}

static char letter_of(const unsigned char *addr, size_t len)
{
	const unsigned char *base = find_mapping();
	size_t off = (size_t)(addr - base);

	if (off == PAGE && len <= PAGE)
		return 'd';
	if (off == 0 && len > PAGE && len <= 2 * PAGE)
		return 'b';
	if (off != 0 || len > PAGE)
		return 'm';
	return is_zero(base) ? 'z' : (char)('0' + base[IMAGE_SDS + 16]);
}

/* Several syncs of anything else are noted as one. */
SUPPORT_INTERPOSE int msync(void *addr, size_t len, int flags)
{
	size_t n = strlen(syncs);
	char letter = letter_of(addr, len);

	if (n + 1 < sizeof(syncs) && !(letter == 'm' && n > 0 && syncs[n - 1] == 'm'))
		syncs[n] = letter;
	return (int)syscall(SYS_msync, addr, len, flags);
}

static bool fchmod_fails;

SUPPORT_INTERPOSE int fchmod(int fd, mode_t mode)
{
	if (fchmod_fails) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_fchmod, fd, mode);
}

static void arm(void)
{
	memset(syncs, 0, sizeof(syncs));
}

static PMEMblkpool *must(PMEMblkpool *p)
{
	if (!p)
		fail_msg("%s", pmemblk_errormsg());
	return p;
}

static int begin(void **state)
{
	(void)state;
	unlink(path);
	arm();
	return 0;
}

/* The header, which makes the file a pool, comes when the descriptor is there. */
static void a_create_makes_the_header_durable_after_what_it_vouches_for(void **state)
{
	(void)state;
	pmemblk_close(must(pmemblk_create(path, 512, SIZE, 0600)));
	assert_string_equal(syncs, "d10");
	unlink(path);
	image_make_zero(path, SIZE);
	arm();
	pmemblk_close(must(pmemblk_create(path, 512, 0, 0)));
	assert_string_equal(syncs, "d10");
}

/* No moment leaves a header with the bytes that the user's file held as its descriptor. */
static void a_create_is_undone_in_the_opposite_order(void **state)
{
	const char *set = support_path(false, "set");
	const char *added = support_path(false, "added");
	char text[512];

	(void)state;
	image_make_zero(path, 9 << 20);
	image_write(path, PAGE, "my data", 8);
	snprintf(text, sizeof(text), "PMEMPOOLSET\n9M %s\n9M %s\n", path, added);
	support_write_file(set, text, strlen(text));
	fchmod_fails = true;
	errno = 0;
	assert_null(pmemblk_create(set, 512, 0, 0600));
	fchmod_fails = false;
	assert_int_equal(errno, EPERM);
	assert_string_equal(syncs, "d1zd");
	assert_int_equal(access(added, F_OK), -1);
}

static void the_mark_is_durable_before_the_first_change_and_after_the_last(void **state)
{
	PMEMblkpool *p = must(pmemblk_create(path, 512, SIZE, 0600));

	(void)state;
	assert_int_equal(byteblock_put(p, 0, 1), 0);
	arm();
	pmemblk_close(p);
	assert_string_equal(syncs, "m0");
	arm();
	p = must(pmemblk_open(path, 0));
	assert_string_equal(syncs, "mb1");
	arm();
	assert_int_equal(byteblock_put(p, 0, 2), 0);
	assert_string_equal(syncs, "m");
	pmemblk_close(p);
	assert_string_equal(syncs, "m0");
}

static void without_a_mark_only_the_front_is_made_durable_again(void **state)
{
	int no = 0;
	int yes = 1;
	PMEMblkpool *p;

	(void)state;
	assert_int_equal(pmemblk_ctl_set(NULL, "sds.at_create", &no), 0);
	p = must(pmemblk_create(path, 512, SIZE, 0600));
	assert_int_equal(pmemblk_ctl_set(NULL, "sds.at_create", &yes), 0);
	assert_string_equal(syncs, "d0");
	pmemblk_close(p);
	assert_string_equal(syncs, "d0");
	arm();
	p = must(pmemblk_open(path, 0));
	assert_string_equal(syncs, "b");
	pmemblk_close(p);
	assert_string_equal(syncs, "b");
}

#define CASE(f) cmocka_unit_test_setup(f, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_create_makes_the_header_durable_after_what_it_vouches_for),
	    CASE(a_create_is_undone_in_the_opposite_order),
	    CASE(the_mark_is_durable_before_the_first_change_and_after_the_last),
	    CASE(without_a_mark_only_the_front_is_made_durable_again),
	};

	if (sysconf(_SC_PAGESIZE) != (long)PAGE) {
		puts("skipped: pages have another size");
		return 77;
	}
	unsetenv("PMEM_IS_PMEM_FORCE");
	path = support_path(false, "pool");
	support_assert_ours((void *)pmemblk_create, "pmemblk_create");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
