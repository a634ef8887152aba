/* SPDX-License-Identifier: BSD-3-Clause */
#include "poolset/io.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "blame.h"
#include "errormsg.h"
#include "file.h"
#include "mapping.h"
#include "base/pool_format.h"
#include "poolset/files.h"
#include "storage/pool.h"

/* A device DAX can only be mapped. */
static int map_device(const struct poolset_part *part, uint64_t end, size_t *len,
		      void **addr)
{
	int ret;

	*len = (size_t)((end + part->align - 1) / part->align * part->align);
	ret = mapping_reserve(*len, part->align, addr);
	if (ret < 0)
		return blame_file(part->path, ret);
	ret = mapping_place(*addr, *len, part->fd, 0, MAPPING_SHARED, NULL, NULL);
	if (ret < 0) {
		mapping_release(*addr, *len, part->align);
		return errormsg_fail_sys(-ret, "cannot map %s", part->path);
	}
	return 0;
}

int poolset_io_read(const struct poolset *set, unsigned i, uint64_t off, void *buf,
		    size_t len)
{
	const struct poolset_part *part = &set->part[i];
	size_t done = 0;

	if (part->is_devdax) {
		void *addr;
		size_t mapped;
		int ret = map_device(part, off + len, &mapped, &addr);

		if (ret < 0)
			return ret;
		memcpy(buf, (char *)addr + off, len);
		mapping_release(addr, mapped, part->align);
		return 0;
	}
	while (done < len) {
		ssize_t n =
		    pread(part->fd, (char *)buf + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errormsg_fail_sys(errno, "cannot read %s at offset %llu",
						 part->path, ULL(off + done));
		if (n == 0)
			return errormsg_fail(EIO, "%s ends at offset %llu", part->path,
					     ULL(off + done));
		done += (size_t)n;
	}
	return 0;
}

static int write_device(struct poolset_part *part, uint64_t off, const void *buf,
			size_t len)
{
	struct storage_step step = STORAGE_STEP_INIT;
	struct storage s;
	size_t mapped;
	void *addr;
	int ret = map_device(part, off + len, &mapped, &addr);

	if (ret < 0)
		return ret;
	part->is_stored = true;
	storage_pool_init(&s, addr, mapped, STORAGE_PMEM);
	storage_write(&s, &step, off, buf, len);
	ret = storage_fence(&s, &step);
	mapping_release(addr, mapped, part->align);
	return ret;
}

static int write_file(struct poolset_part *part, uint64_t off, const void *buf,
		      size_t len)
{
	size_t done = 0;

	part->is_stored = true;
	while (done < len) {
		ssize_t n = pwrite(part->fd, (const char *)buf + done, len - done,
				   (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errormsg_fail_sys(n < 0 ? errno : EIO,
						 "cannot write %s at offset %llu",
						 part->path, ULL(off + done));
		done += (size_t)n;
	}
	while (fdatasync(part->fd) != 0)
		if (errno != EINTR)
			return errormsg_fail_sys(errno, "cannot synchronise %s",
						 part->path);
	return 0;
}

int poolset_io_write(struct poolset *set, unsigned i, uint64_t off, const void *buf,
		     size_t len)
{
	struct poolset_part *part = &set->part[i];
	struct file_limit limit;
	int ret;

	if (part->is_devdax)
		return write_device(part, off, buf, len);
	if (part->read_only)
		return poolset_files_check_writable(set);
	file_limit_hold(&limit);
	ret = write_file(part, off, buf, len);
	file_limit_release(&limit);
	return ret;
}

int poolset_io_clear(struct poolset *set, unsigned i)
{
	static const unsigned char zero[POOL_PAGE];
	uint64_t end = set->part[i].is_devdax ? POOL_DEVICE_START : POOL_PAGE;
	int ret = 0;

	for (uint64_t off = 0; off < end; off += sizeof(zero))
		ret |= poolset_io_write(set, i, off, zero, sizeof(zero));
	return ret < 0 ? -EIO : 0;
}

/*
 * The same for one part, with offsets in its file. If the file system does not tell its holes, it
 * has none.
 */
static uint64_t next_data_in_part(struct poolset_part *part, uint64_t off, uint64_t end)
{
	off_t at;
	off_t hole;

	if (part->is_devdax || part->fd < 0)
		return off;
	if (off >= part->data_lo && off < part->data_hi)
		return off;
	at = lseek(part->fd, (off_t)off, SEEK_DATA);
	if (at < 0)
		return errno == ENXIO ? end : off;
	hole = lseek(part->fd, at, SEEK_HOLE);
	if (hole > at) {
		part->data_lo = (uint64_t)at;
		part->data_hi = (uint64_t)hole;
	}
	return (uint64_t)at < end ? (uint64_t)at : end;
}

uint64_t poolset_io_next_data(struct poolset *set, uint64_t off, uint64_t end)
{
	uint64_t start = 0; /* offset of the part in the image */

	for (unsigned i = 0; i < set->npart && start < end; i++) {
		uint64_t used = poolset_part_used(set, i, set->part[i].length);
		uint64_t skip = poolset_part_skip(set, i);

		if (off < start + used) {
			uint64_t from = (off > start ? off - start : 0) + skip;
			uint64_t to = (end < start + used ? end - start : used) + skip;
			uint64_t at = next_data_in_part(&set->part[i], from, to);

			if (at < to)
				return at - skip + start;
		}
		start += used;
	}
	return end;
}
