/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy_file SOURCE DESTINATION
 *
 * Copies a file into a new file on persistent memory, or on any file system. The pieces are
 * copied without waiting; one drain at the end makes all of them durable.
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
	static char buf[65536];
	size_t mapped_len, done = 0;
	struct stat st;
	int is_pmem, fd;
	char *dest;
	ssize_t n;

	if (argc != 3) {
		fprintf(stderr, "usage: %s SOURCE DESTINATION\n", argv[0]);
		return 2;
	}
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		perror(argv[1]);
		return 1;
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		die(argv[1], "not a file that holds something");

	dest =
	    pmem_map_file(argv[2], (size_t)st.st_size, PMEM_FILE_CREATE | PMEM_FILE_EXCL,
			  0666, &mapped_len, &is_pmem);
	if (!dest)
		die(argv[2], pmem_errormsg());

	while (done < mapped_len && (n = read(fd, buf, sizeof(buf))) > 0) {
		if ((size_t)n > mapped_len - done)
			n = (ssize_t)(mapped_len - done);
		if (is_pmem)
			pmem_memcpy_nodrain(dest + done, buf, (size_t)n);
		else /* msync will do the rest: nothing needs to be flushed here */
			pmem_memcpy(dest + done, buf, (size_t)n, PMEM_F_MEM_NOFLUSH);
		done += (size_t)n;
	}
	if (done < mapped_len)
		die(argv[1], "cannot be read to its end");

	if (is_pmem)
		pmem_drain();
	else if (pmem_msync(dest, mapped_len) != 0)
		die(argv[2], pmem_errormsg());

	printf("%zu bytes copied to %s\n", done,
	       is_pmem ? "persistent memory" : "an ordinary file");
	pmem_unmap(dest, mapped_len);
	close(fd);
	return 0;
}
