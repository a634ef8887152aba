/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * durable_string FILE TEXT	stores TEXT in FILE durably
 * durable_string FILE		prints the text
 *
 * The order of the stores is important. The text is made durable first; then one store of 8
 * bytes, with the length, makes it valid. Whenever the power fails, the file holds the old length
 * with the old text, or the new length with the new text.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpmem.h>

#define FILE_SIZE 4096

/* The texts use two places in turn, so that the valid text is never overwritten. */
struct record {
	uint64_t state; /* 2 * length + place of the valid text; 0: none yet */
	char text[2][2000];
};

/* On persistent memory the CPU makes stores durable, on other files the kernel does. */
static void persist(int is_pmem, const void *addr, size_t len)
{
	if (is_pmem)
		pmem_persist(addr, len);
	else if (pmem_msync(addr, len) != 0) {
		fprintf(stderr, "%s\n", pmem_errormsg());
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct record *record;
	size_t mapped_len;
	int is_pmem;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: %s FILE [TEXT]\n", argv[0]);
		return 2;
	}
	record = pmem_map_file(argv[1], FILE_SIZE, PMEM_FILE_CREATE, 0666, &mapped_len,
			       &is_pmem);
	if (!record) {
		fprintf(stderr, "%s\n", pmem_errormsg());
		return 1;
	}

	if (argc == 3) {
		uint64_t place = 1 - record->state % 2;
		size_t len = strlen(argv[2]);
		uint64_t state = 2 * (uint64_t)len + place;

		if (len > sizeof(record->text[0])) {
			fprintf(stderr, "the text is longer than %zu bytes\n",
				sizeof(record->text[0]));
			return 1;
		}
		memcpy(record->text[place], argv[2], len);
		persist(is_pmem, record->text[place], len);
		/* One aligned store of 8 bytes, which cannot be torn. */
		pmem_memcpy(&record->state, &state, sizeof(state), PMEM_F_MEM_NOFLUSH);
		persist(is_pmem, &record->state, sizeof(state));
	} else {
		size_t len = (size_t)(record->state / 2);

		if (len > sizeof(record->text[0])) {
			fprintf(stderr, "%s holds no text\n", argv[1]);
			return 1;
		}
		printf("%.*s\n", (int)len, record->text[record->state % 2]);
	}
	pmem_unmap(record, mapped_len);
	return 0;
}
