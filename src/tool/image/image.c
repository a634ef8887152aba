/* SPDX-License-Identifier: BSD-3-Clause */
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "errormsg.h"
#include "file.h"
#include "image/bits.h"
#include "image/guard.h"
#include "pool/header.h"
#include "pool/shutdown_devices.h"
#include "poolset/acquire.h"
#include "poolset/badblocks.h"
#include "poolset/io.h"

/* Changes are in the image alone: the file may have a hole there. */
static uint64_t next_data(struct storage *s, uint64_t off, uint64_t end)
{
	const struct image *image =
	    (const void *)((const char *)s - offsetof(struct image, storage));
	uint64_t at = poolset_io_next_data(image->set, off, end);
	uint64_t changed = bits_find(image->changed, true, off / POOL_PAGE,
				     (at + POOL_PAGE - 1) / POOL_PAGE) *
			   POOL_PAGE;

	if (changed >= at)
		return at;
	return changed > off ? changed : off;
}

void image_change(struct image *image, uint64_t off, const void *bytes, size_t len)
{
	memcpy(image->map.base + off, bytes, len);
	for (uint64_t page = off / POOL_PAGE; page * POOL_PAGE < off + len; page++)
		bits_set(image->changed, page);
}

/* Recovery stores map entries; a walk over the map has to find them in a hole, too. */
static void store32(struct storage *s, uint64_t off, uint32_t value)
{
	struct image *image = (void *)((char *)s - offsetof(struct image, storage));

	image_change(image, off, &value, sizeof(value));
}

/* --- holes on a full disk ----------------------------------------------------------------- */

static bool has_its_length(const struct poolset_part *part)
{
	struct stat st;

	return fstat(part->fd, &st) == 0 && (uint64_t)st.st_size == part->length;
}

/*
 * On tmpfs even reading a hole takes a page, of which a full disk has none. Looking must not need
 * room: a page of zeros that no file has is put in its place. A file that was cut off meanwhile
 * has no hole there, but the error remains.
 */
static bool fill_hole(void *arg, const void *addr)
{
	struct image *image = arg;
	uintptr_t base = (uintptr_t)image->map.base;
	uint64_t unit = image->map.unit;
	uint64_t off;

	if ((uintptr_t)addr < base || (uintptr_t)addr - base >= image->map.size)
		return false;
	off = ((uintptr_t)addr - base) / unit * unit;
	for (unsigned i = 0; i < image->set->npart; i++)
		if (!has_its_length(&image->set->part[i]))
			return false;
	if (poolset_io_next_data(image->set, off, off + unit) < off + unit)
		return false;
	return mmap(image->map.base + off, (size_t)unit, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

int image_run(struct image *image, int (*work)(void *), void *arg)
{
	return guard_run_mending(image->path, &image->map, fill_hole, image, work, arg);
}

/* ------------------------------------------------------------------------------------------- */

static int read_headers(struct image *image)
{
	int ret = 0;

	image->nheader = image->set->singlehdr ? 1 : image->set->npart;
	image->header = alloc_zeroed(image->nheader * sizeof(*image->header));
	if (!image->header)
		return errormsg_fail(ENOMEM, "out of memory for %s", image->path);
	for (unsigned i = 0; i < image->nheader && ret == 0; i++)
		ret = poolset_io_read(image->set, i, 0, &image->header[i],
				      sizeof(image->header[i]));
	return ret;
}

static int map(struct image *image)
{
	uint64_t size = poolset_files_image_size(image->set);
	int ret;

	if (size < POOL_MIN_SIZE)
		return errormsg_fail(
		    EINVAL, "%s has %llu usable bytes, a pool needs at least %llu",
		    image->path, ULL(size), ULL(POOL_MIN_SIZE));
	/* one page more, which image_extend() may append */
	image->changed = calloc((size_t)(size / POOL_PAGE / 8) + 1, 1);
	if (!image->changed)
		return errormsg_fail(ENOMEM, "out of memory for %s", image->path);
	ret = poolset_map(image->set, MAPPING_PRIVATE, &image->map);
	if (ret < 0)
		return ret;
	storage_pool_init(&image->storage, image->map.base, image->map.size,
			  STORAGE_PRIVATE);
	image->storage.next_data = next_data;
	image->ops = *image->storage.ops;
	image->ops.store32 = store32;
	image->storage.ops = &image->ops;
	return 0;
}

static void drop(struct image *image)
{
	poolset_unmap(&image->map);
	alloc_free(image->header);
	image->header = NULL;
	free(image->changed);
	image->changed = NULL;
}

static int load_params(void *arg)
{
	image_load_params(arg);
	return 0;
}

/* Reads what is in the open files. */
static int load(struct image *image)
{
	int ret = read_headers(image);

	if (ret == 0)
		ret = map(image);
	if (ret == 0)
		ret = image_run(image, load_params, image);
	return ret;
}

int image_open(const char *path, enum poolset_access access, struct image *image)
{
	int ret;

	*image = (struct image){.path = path};
	ret = poolset_acquire(path, access, &image->set);
	if (ret < 0)
		return ret;
	ret = load(image);
	if (ret < 0)
		image_close(image);
	return ret;
}

void image_close(struct image *image)
{
	drop(image);
	poolset_files_close(image->set);
	poolset_free(image->set);
}

int image_read_modules(const struct image *image, struct shutdown_state *modules)
{
	*modules = (struct shutdown_state){0, 0};
	for (unsigned i = 0; i < image->set->npart; i++) {
		const struct poolset_part *part = &image->set->part[i];
		struct stat st;
		int ret;

		if (fstat(part->fd, &st) != 0)
			return errormsg_fail_sys(errno, "cannot stat %s", part->path);
		ret = shutdown_devices_add(modules, part->path, st.st_dev, false);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int image_refresh(struct image *image)
{
	drop(image);
	for (unsigned i = 0; i < image->set->npart; i++) {
		struct poolset_part *part = &image->set->part[i];
		struct stat st;

		if (fstat(part->fd, &st) != 0)
			return errormsg_fail_sys(errno, "cannot stat %s", part->path);
		if ((uint64_t)st.st_size != part->length)
			return errormsg_fail(
			    EIO,
			    "%s has %lld bytes now, and had %llu before: "
			    "another process changes it, although it is locked",
			    part->path, (long long)st.st_size, ULL(part->length));
		part->data_lo = part->data_hi = 0;
	}
	return load(image);
}

int image_map_shared(const struct image *image, struct image *shared)
{
	int ret;

	*shared = *image;
	shared->map = (struct poolset_mapping){0};
	ret = poolset_map(image->set, MAPPING_SHARED, &shared->map);
	if (ret < 0)
		return ret;
	storage_pool_init(&shared->storage, shared->map.base, shared->map.size,
			  shared->map.medium);
	shared->storage.next_data = next_data;
	return 0;
}

void image_unmap_shared(struct image *shared)
{
	poolset_unmap(&shared->map);
}

uint64_t image_length(const struct image *image)
{
	return image->set->npart == 1 ? image->set->part[0].length : image->map.size;
}

/* Reads the bytes behind the last whole page. */
static int read_tail(const struct image *image, void *page)
{
	uint64_t size = image->map.size;

	return poolset_io_read(image->set, 0, size, page,
			       (size_t)(image_length(image) - size));
}

static int map_extended(const struct image *image, unsigned char *base)
{
	uint64_t size = image->map.size;
	int ret = mapping_place(base, (size_t)size, image->set->part[0].fd, 0,
				MAPPING_PRIVATE, NULL, NULL);

	if (ret == 0 &&
	    mmap(base + size, POOL_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		ret = -errno;
	if (ret < 0)
		return errormsg_fail_sys(-ret, "cannot map %s", image->path);
	return read_tail(image, base + size);
}

int image_extend(struct image *image, uint64_t *length)
{
	uint64_t size = image->map.size + POOL_PAGE;
	void *base;
	int ret = mapping_reserve((size_t)size, image->map.unit, &base);

	if (ret < 0)
		return errormsg_fail_sys(-ret, "cannot map %s", image->path);
	ret = map_extended(image, base);
	if (ret < 0) {
		mapping_release(base, (size_t)size, image->map.unit);
		return ret;
	}
	poolset_unmap(&image->map);
	image->map.base = base;
	image->map.size = size;
	image->storage.base = base;
	image->storage.size = size;
	image->params.data_size += POOL_PAGE;
	*length = size;
	return 0;
}

static int allocate_in_part(const struct poolset_part *part, uint64_t off, uint64_t len)
{
	int err;

	if (part->is_devdax)
		return 0;
	do
		err = posix_fallocate(part->fd, (off_t)off, (off_t)len);
	while (err == EINTR);
	/* If the file system cannot allocate: guard_run() catches stores that find no space. */
	if (err && err != EOPNOTSUPP)
		return errormsg_fail_sys(
		    err, "cannot allocate %llu bytes at offset %llu of %s", ULL(len),
		    ULL(off), part->path);
	return 0;
}

int image_allocate(const struct image *image, uint64_t off, uint64_t len)
{
	const struct poolset *set = image->set;
	uint64_t start = 0; /* offset of the part in the image */
	int ret = 0;

	for (unsigned i = 0; i < set->npart && ret == 0 && len > 0; i++) {
		uint64_t used = poolset_part_used(set, i, set->part[i].length);

		if (off < start + used) {
			uint64_t n = start + used - off < len ? start + used - off : len;

			ret = allocate_in_part(
			    &set->part[i], off - start + poolset_part_skip(set, i), n);
			off += n;
			len -= n;
		}
		start += used;
	}
	return ret;
}

int image_lengthen(struct image *image, uint64_t length)
{
	struct poolset_part *part = &image->set->part[0];
	int ret = file_set_length(part->fd, length);

	if (ret < 0)
		return errormsg_fail_sys(-ret, "cannot set the length of %s", part->path);
	ret = file_sync(part->fd);
	if (ret < 0)
		return errormsg_fail_sys(-ret, "cannot synchronise %s", part->path);
	part->length = length;
	part->data_lo = part->data_hi = 0;
	return 0;
}

int image_set_length(struct image *image, uint64_t length)
{
	struct poolset_part *part = &image->set->part[0];
	int ret = 0;

	if (length > part->length)
		ret = allocate_in_part(part, part->length, length - part->length);
	return ret == 0 ? image_lengthen(image, length) : ret;
}

int image_check_headers(const struct image *image)
{
	const struct poolset *set = image->set;
	int ret = 0;

	for (unsigned i = 0; i < image->nheader && ret == 0; i++)
		ret = pool_header_check(&image->header[i], set->part[i].path);
	if (ret == 0 && pool_header_has(image->header->incompat,
					POOL_INCOMPAT_SINGLEHDR) != set->singlehdr)
		ret = errormsg_fail(EINVAL, "%s was made with%s OPTION SINGLEHDR",
				    set->part[0].path, set->singlehdr ? "out" : "");
	for (unsigned i = 0; i < image->nheader && ret == 0; i++)
		ret = pool_header_check_links(image->header, image->nheader, i,
					      set->part[i].path);
	return ret;
}

void image_load_params(struct image *image)
{
	struct pool_header *h = image->header;
	struct pool_descriptor d;

	memcpy(h, storage_at(&image->storage, 0), sizeof(*h));
	memcpy(&d, storage_at(&image->storage, POOL_DESCRIPTOR_OFF), sizeof(d));
	image->is_zeroed = le32_to_cpu(d.is_zeroed);
	image->params = (struct btt_params){
	    .name = image->path,
	    .data_off = POOL_DATA_OFF,
	    .data_size = image->map.size - POOL_DATA_OFF,
	    .bsize = le32_to_cpu(d.bsize),
	    .parent = h->poolset_uuid,
	    .zeroed = image->is_zeroed != 0,
	    .user_file = image->is_zeroed == 0,
	    .nlane = 1,
	};
}
