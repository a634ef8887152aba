/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Grants or refuses MAP_SYNC, whatever the file system and the kernel do: the program has an mmap
 * of its own, which replaces the C library's.
 *
 * map_sync_err: 0 grants MAP_SYNC; any other value is the errno of the refusal. The initial value
 * is EOPNOTSUPP, as on a file system without DAX. map_sync_failing: the number of the request,
 * from 1, that fails with ENOMEM in any case; 0: none.
 */
#ifndef MAP_SYNC_H
#define MAP_SYNC_H 1

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif

static atomic_int map_sync_err __attribute__((unused)) = EOPNOTSUPP;
static atomic_uint map_sync_granted __attribute__((unused));
static atomic_uint map_sync_requests __attribute__((unused));
static atomic_uint map_sync_failing __attribute__((unused));

/* The thread sanitizer has an mmap of its own, which it needs. */
#if defined(__SANITIZE_THREAD__)
#define MAP_SYNC_UNUSABLE 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MAP_SYNC_UNUSABLE 1
#endif
#endif

#ifndef MAP_SYNC_UNUSABLE

__attribute__((visibility("default"))) void *mmap(void *addr, size_t len, int prot,
						  int flags, int fd, off_t off)
{
	if (fd >= 0 && (flags & MAP_SYNC)) {
		int err = atomic_load(&map_sync_err);

		if (atomic_fetch_add(&map_sync_requests, 1) + 1 ==
		    atomic_load(&map_sync_failing))
			err = ENOMEM;
		if (err) {
			errno = err;
			return MAP_FAILED;
		}
		atomic_fetch_add(&map_sync_granted, 1);
		flags = (flags & ~(MAP_SYNC | MAP_TYPE)) | MAP_SHARED;
	}
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
}

#endif

#endif
