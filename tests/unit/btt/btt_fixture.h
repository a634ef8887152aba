/* SPDX-License-Identifier: BSD-3-Clause */
/* A table over a pool image in memory: by default the smallest pool, with blocks of 512 bytes. */
#ifndef BTT_FIXTURE_H
#define BTT_FIXTURE_H 1

#include <stdlib.h>

#include "btt/btt.h"
#include "btt/check.h"
#include "btt/format.h"
#include "btt/read.h"
#include "errormsg.h"
#include "ram_storage.h"

#define POOL_SIZE 16785408u
#define DATA_OFF 8192u
#define EXT_NLBA 0x7dcau
#define MAP_OFF (DATA_OFF + 0xfdb000u)
#define FLOG_OFF (DATA_OFF + 0xffb000u)
#define COPY_OFF (DATA_OFF + 0xfff000u)

struct fixture {
	struct ram_storage ram;
	struct btt_params params;
};

static inline void fixture_init(struct fixture *f, uint64_t size, uint32_t bsize)
{
	ram_storage_init(&f->ram, size);
	f->params = (struct btt_params){
	    .name = "pool",
	    .data_off = DATA_OFF,
	    .data_size = size - DATA_OFF,
	    .bsize = bsize,
	    .parent = {{1, 2, 3}},
	    .zeroed = true,
	    .nlane = 4,
	};
}

/* The pool of a vector file, as the original wrote it. */
static inline void fixture_load(struct fixture *f, const char *vector)
{
	size_t len;
	unsigned char *image = support_load_sparse(support_source(vector), &len);

	assert_int_equal(len, POOL_SIZE);
	fixture_init(f, POOL_SIZE, 512);
	for (size_t off = 0; off < len; off += 4096)
		if (image[off] || memcmp(image + off, image + off + 1, 4095) != 0)
			memcpy(f->ram.s.base + off, image + off, 4096);
	memcpy(&f->params.parent, image + 24, sizeof(f->params.parent));
	free(image);
}

static inline void fixture_fini(struct fixture *f)
{
	ram_storage_fini(&f->ram);
}

static inline struct btt *fixture_open(struct fixture *f)
{
	struct btt *btt = NULL;
	int ret = btt_open(&f->ram.s, &f->params, &btt);

	if (ret)
		fail_msg("btt_open: %d: %s", ret, errormsg_get());
	return btt;
}

static inline uint32_t fixture_get32(struct fixture *f, uint64_t off)
{
	return storage_load32(&f->ram.s, off, memory_order_relaxed);
}

static inline void fixture_put32(struct fixture *f, uint64_t off, uint32_t value)
{
	le32 v = cpu_to_le32(value);

	memcpy(f->ram.s.base + off, &v, sizeof(v));
}

static inline void fixture_expect_byte(struct btt *btt, uint64_t lba, int byte)
{
	unsigned char buf[512];

	assert_int_equal(btt_read(btt, buf, lba), 0);
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], byte);
}

/* Opening must fail, with a message that holds this text, and must store nothing. */
static inline void fixture_open_fails(struct fixture *f, int err, const char *message)
{
	unsigned char *before = malloc(f->ram.s.size);
	struct btt *btt;

	memcpy(before, f->ram.s.base, f->ram.s.size);
	assert_int_equal(btt_open(&f->ram.s, &f->params, &btt), err);
	if (!strstr(errormsg_get(), message) || !strstr(errormsg_get(), "pool"))
		fail_msg("no '%s' in '%s'", message, errormsg_get());
	assert_memory_equal(before, f->ram.s.base, f->ram.s.size);
	free(before);
}

/* Checks a private copy, as the contract demands. */
static inline int fixture_check(struct fixture *f)
{
	struct ram_storage saved = f->ram;
	struct ram_storage copy = f->ram;
	int ret;

	copy.s.base =
	    mmap(NULL, saved.s.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, saved.fd, 0);
	assert_true(copy.s.base != MAP_FAILED);
	ret = btt_check(&copy.s, &f->params);
	munmap(copy.s.base, saved.s.size);
	return ret;
}

#endif
