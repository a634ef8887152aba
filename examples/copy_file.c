/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy_file [-t | -n] SOURCE DESTINATION
 *
 * Copies a file into a new file on persistent memory, or on any file system. The pieces are
 * copied without waiting; one drain at the end makes all of them durable.
 *
 *	-t	stores through the caches: for a file that is read again soon
 *	-n	non-temporal stores, which bypass the caches: for a file that is not
 *
 * Without a flag the library decides by the size of the pieces.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libpmem.h>

static _Noreturn void die(const char *path, const char *message)
{
	fprintf(stderr, "%s: %s\n", path, message);
	exit(1);
}

int main(int argc, char **argv)
{
	unsigned flags = PMEM_F_MEM_NODRAIN;
	static char buf[65536];
	size_t mapped_len, done = 0;
	struct stat st;
	int is_pmem, fd;
	char *dest;
	const char *from, *to;
	ssize_t n;
	int opt;

	while ((opt = getopt(argc, argv, "tn")) != -1) {
		if (opt == 't')
			flags |= PMEM_F_MEM_TEMPORAL;
		else if (opt == 'n')
			flags |= PMEM_F_MEM_NONTEMPORAL;
		else
			return 2;
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: %s [-t | -n] SOURCE DESTINATION\n", argv[0]);
		return 2;
	}
	from = argv[optind];
	to = argv[optind + 1];
	fd = open(from, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		perror(from);
		return 1;
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		die(from, "not a file that holds something");

	dest = pmem_map_file(to, (size_t)st.st_size, PMEM_FILE_CREATE | PMEM_FILE_EXCL,
			     0666, &mapped_len, &is_pmem);
	if (!dest)
		die(to, pmem_errormsg());

	while (done < mapped_len && (n = read(fd, buf, sizeof(buf))) > 0) {
		if ((size_t)n > mapped_len - done)
			n = (ssize_t)(mapped_len - done);
		/*
		 * Without persistent memory msync makes it durable, so that no flush is needed
		 * here.
		 */
		pmem_memcpy(dest + done, buf, (size_t)n,
			    is_pmem ? flags : PMEM_F_MEM_NOFLUSH);
		done += (size_t)n;
	}
	if (done < mapped_len)
		die(from, "cannot be read to its end");

	if (is_pmem)
		pmem_drain();
	else if (pmem_msync(dest, mapped_len) != 0)
		die(to, pmem_errormsg());

	printf("%zu bytes copied to %s\n", done,
	       is_pmem ? "persistent memory" : "an ordinary file");
	pmem_unmap(dest, mapped_len);
	close(fd);
	return 0;
}
