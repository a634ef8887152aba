/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool as info and repair see it: its files opened and locked, and the pool image mapped
 * privately, so that changes can be tried without the files being touched. Nothing in it
 * is judged by opening it; a pool with a destroyed header can be opened like that as well.
 *
 * Functions that return int return 0 or -errno and have set the message (errormsg_get())
 * when they fail.
 */
#ifndef IMAGE_H
#define IMAGE_H 1

#include "btt/btt.h"
#include "base/pool_format.h"
#include "poolset/map.h"
#include "storage/storage.h"

struct image {
	const char *path;
	struct poolset *set;
	unsigned nheader;	    /* parts that have a header */
	struct pool_header *header; /* theirs; the first one's as in the image */
	struct poolset_mapping map;
	struct storage storage; /* private: stores stay in this process */
	struct btt_params params;
	uint32_t is_zeroed;
};

/*
 * Opens the pool. -EINVAL when there is not enough of it for a pool; -EAGAIN when it is in
 * use; -EOPNOTSUPP for device DAX, and others as from open(2).
 */
int image_open(const char *path, struct image *image) MUST_CHECK;
void image_close(struct image *image);

/* Judges the headers; -EINVAL says what is wrong with the first bad one. */
int image_check_headers(const struct image *image) MUST_CHECK;

/* Sums up the memory modules under the files. */
struct shutdown_state;
int image_read_modules(const struct image *image,
		       struct shutdown_state *modules) MUST_CHECK;

/*
 * Appends a page to the image, as if the (single) file were that much longer: the bytes that
 * the file has behind its last whole page, then zeros. Changes made to the image are lost.
 * *length receives the length that the file needs.
 */
int image_extend(struct image *image, uint64_t *length) MUST_CHECK;

/* Makes the image what the files are now, as image_open() left it. */
int image_refresh(struct image *image) MUST_CHECK;

/*
 * Maps the open files once more, such that stores change them. *shared has its own map and storage;
 * everything else belongs to the image.
 */
int image_map_shared(const struct image *image, struct image *shared) MUST_CHECK;
void image_unmap_shared(struct image *shared);

/* The length of a single file in bytes; of a set, of the pool image. */
uint64_t image_length(const struct image *image);

/* Allocates the space of [off, off + len) in the files; their contents stay as they are. */
int image_allocate(const struct image *image, uint64_t off, uint64_t len) MUST_CHECK;

/* Gives the single file another length, durably. More of it is allocated. */
int image_set_length(struct image *image, uint64_t length) MUST_CHECK;

/* Takes the first header, bsize and is_zeroed from the (perhaps changed) image. */
void image_load_params(struct image *image);

#endif
