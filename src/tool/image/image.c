/* SPDX-License-Identifier: BSD-3-Clause */
#include "image/image.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "poolset/badblocks.h"
#include "errormsg.h"
#include "pool/header.h"
#include "poolset/files.h"
#include "poolset/load.h"
#include "pool/shutdown_devices.h"

static uint64_t next_data(struct storage *s, uint64_t off, uint64_t end)
{
	const struct image *image =
	    (const void *)((const char *)s - offsetof(struct image, storage));

	return poolset_files_next_data(image->set, off, end);
}

static int read_headers(struct image *image)
{
	int ret = 0;

	image->nheader = image->set->singlehdr ? 1 : image->set->npart;
	image->header = alloc_zeroed(image->nheader * sizeof(*image->header));
	if (!image->header)
		return errormsg_fail(ENOMEM, "out of memory for %s", image->path);
	for (unsigned i = 0; i < image->nheader && ret == 0; i++)
		ret = poolset_files_read(image->set, i, 0, &image->header[i],
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
	ret = poolset_map(image->set, MAPPING_PRIVATE, &image->map);
	if (ret < 0)
		return ret;
	storage_pool_init(&image->storage, image->map.base, image->map.size,
			  STORAGE_PRIVATE);
	image->storage.next_data = next_data;
	return 0;
}

int image_open(const char *path, struct image *image)
{
	int ret;

	*image = (struct image){.path = path};
	ret = poolset_load(path, false, &image->set);
	if (ret < 0)
		return ret;
	ret = poolset_files_open(image->set, POOLSET_READ);
	if (ret < 0) {
		poolset_free(image->set);
		return ret;
	}
	ret = badblocks_check_media(image->set);
	if (ret == 0)
		ret = read_headers(image);
	if (ret == 0)
		ret = map(image);
	if (ret < 0) {
		image_close(image);
		return ret;
	}
	image_load_params(image);
	return 0;
}

void image_close(struct image *image)
{
	poolset_unmap(&image->map);
	alloc_free(image->header);
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

int image_extend(struct image *image, uint64_t *length)
{
	uint64_t size = image->map.size;
	void *base;
	int ret = mapping_reserve((size_t)size + POOL_PAGE, image->map.unit, &base);

	if (ret < 0)
		return ret;
	ret = mapping_place(base, (size_t)size, image->set->part[0].fd, 0,
			    MAPPING_PRIVATE, NULL, NULL);
	if (ret == 0 &&
	    mmap((char *)base + size, POOL_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		ret = -errno;
	if (ret < 0) {
		mapping_release(base, (size_t)size + POOL_PAGE, image->map.unit);
		return errormsg_fail_sys(-ret, "cannot map %s", image->path);
	}
	poolset_unmap(&image->map);
	image->map.base = base;
	image->map.size = size + POOL_PAGE;
	image->storage.base = base;
	image->storage.size = size + POOL_PAGE;
	image->params.data_size += POOL_PAGE;
	*length = size + POOL_PAGE;
	return 0;
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
	struct pool_header header;
	struct pool_descriptor d;

	memcpy(&header, storage_at(&image->storage, 0), sizeof(header));
	memcpy(&d, storage_at(&image->storage, POOL_DESCRIPTOR_OFF), sizeof(d));
	image->is_zeroed = le32_to_cpu(d.is_zeroed);
	image->params = (struct btt_params){
	    .name = image->path,
	    .data_off = POOL_DATA_OFF,
	    .data_size = image->map.size - POOL_DATA_OFF,
	    .bsize = le32_to_cpu(d.bsize),
	    .parent = header.poolset_uuid,
	    .zeroed = image->is_zeroed != 0,
	    .user_file = image->is_zeroed == 0,
	    .nlane = 1,
	};
}
