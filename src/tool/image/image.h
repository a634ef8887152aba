/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool as info and repair see it. Its files are open and locked, and the pool image is mapped
 * privately, so that changes can be tried without changing the files. Opening an image does not
 * judge its contents: a pool with a destroyed header can be opened, too, and
 * one on bad blocks. So the mapping is read in image_run().
 *
 * Functions that return int return 0 or -errno and have set the message (errormsg_get())
 * when they fail.
 */
#ifndef IMAGE_H
#define IMAGE_H 1

#include "btt/btt.h"
#include "base/pool_format.h"
#include "poolset/files.h"
#include "poolset/map.h"
#include "storage/storage.h"

struct image {
	const char *path;
	struct poolset *set;
	unsigned nheader; /* parts that have a header */
	/* their headers; the first one points into the image */
	struct pool_header *header;
	struct poolset_mapping map;
	struct storage storage; /* private: stores do not reach the files */
	struct storage_ops ops; /* of storage: stores of map entries count as changes */
	unsigned char *changed; /* a bit for each page that is not what the file has */
	struct btt_params params;
	uint32_t is_zeroed;
};

/*
 * Opens the pool for reading or, where that is possible, for writing (POOLSET_MEND). -EINVAL if
 * the files are too small for a pool; -EAGAIN if the pool is in use, also
 * after the time that lock.wait gives; -EOPNOTSUPP for device DAX;
 * others as from open(2).
 */
int image_open(const char *path, enum poolset_access access,
	       struct image *image) MUST_CHECK;
void image_close(struct image *image);

/*
 * Calls work(arg), which may read and change the image, and returns its result; see guard_run().
 * Holes are read as zeros and can be changed also where the disk is full. -EIO, message set: a
 * page cannot be accessed.
 */
int image_run(struct image *image, int (*work)(void *), void *arg) MUST_CHECK;

/* Judges the headers. -EINVAL; the message says what is wrong with the first bad one. */
int image_check_headers(const struct image *image) MUST_CHECK;

/* Reads and sums up the state of the memory modules under the files. */
struct shutdown_state;
int image_read_modules(const struct image *image,
		       struct shutdown_state *modules) MUST_CHECK;

/*
 * Appends a page to the image, as if the (single) file were longer by so much. The page holds the
 * bytes of the file behind its last whole page, then zeros. Earlier changes of the image are
 * lost. *length receives the length that the file needs.
 */
int image_extend(struct image *image, uint64_t *length) MUST_CHECK;

/*
 * Reads the files again; the image is then as image_open() would make it. -EIO if a file has
 * another length than the image has known, or has given it: offsets that were planned may lie
 * behind its end.
 */
int image_refresh(struct image *image) MUST_CHECK;

/*
 * Puts bytes into the image, as if they stood in the files. They are found there also where the
 * file has a hole, which stores by other ways are not.
 */
void image_change(struct image *image, uint64_t off, const void *bytes, size_t len);

/*
 * Maps the open files once more, so that stores change the files. *shared has a mapping and a
 * storage of its own; everything else belongs to the image.
 */
int image_map_shared(const struct image *image, struct image *shared) MUST_CHECK;
void image_unmap_shared(struct image *shared);

/* The length in bytes of a single file; for a set, the length of the pool image. */
uint64_t image_length(const struct image *image);

/* Allocates the space of [off, off + len) in the files. Their contents do not change. */
int image_allocate(const struct image *image, uint64_t off, uint64_t len) MUST_CHECK;

/* Sets the length of the single file, durably. Additional space is allocated. */
int image_set_length(struct image *image, uint64_t length) MUST_CHECK;

/* Makes the single file longer, durably, by a hole. */
int image_lengthen(struct image *image, uint64_t length) MUST_CHECK;

/* Reads the first header, bsize and is_zeroed again from the image, which may have changed. */
void image_load_params(struct image *image);

#endif
