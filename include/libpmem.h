/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmem: durable stores to memory-mapped files.
 *
 * A store to mapped persistent memory stays in a CPU cache until the cache line is
 * written back, and the write-back is certain only after a fence. A file in the page
 * cache needs msync(2) instead. This library maps files, tells which of the two a mapping
 * needs, and does both:
 *
 *	size_t len;
 *	int is_pmem;
 *	char *p = pmem_map_file(path, 4096, PMEM_FILE_CREATE, 0644, &len, &is_pmem);
 *
 *	strcpy(p, "hello");
 *	if (is_pmem)
 *		pmem_persist(p, len);
 *	else
 *		pmem_msync(p, len);
 *
 * All functions may be called from any thread at any time.
 *
 * A function that returns NULL or -1 has set errno and the message that pmem_errormsg()
 * returns. All other calls leave errno as it was, with one exception: see
 * pmem_map_file().
 *
 * The stores of different calls are not atomic together. After a power loss each part of
 * the data that was not yet persisted may be new or old.
 *
 * No function is a cancellation point: a thread that is cancelled completes its call first. A
 * thread with asynchronous cancelability (PTHREAD_CANCEL_ASYNCHRONOUS) must not call them.
 *
 * Caveats.
 *
 * - Fork. A child has its parent's mappings and knows which of them are persistent
 *   memory. Both processes store to the same file.
 * - Signals. A signal handler may call pmem_is_pmem, pmem_flush, pmem_drain, pmem_persist
 *   and the functions that copy and set memory. It must not call the other functions.
 * - Full disks. A store to a hole of a file needs space on the disk. If there is none,
 *   the kernel sends SIGBUS. A file has holes if it was made with PMEM_FILE_SPARSE, or by
 *   another program.
 * - Truncated files. If a file is truncated while it is mapped, a load or store behind
 *   its new end raises SIGBUS.
 * - Failed syncs. After pmem_msync() or pmem_deep_persist() has failed with EIO, a second
 *   call can succeed without having written anything: the kernel reports a failed
 *   write-back only once, and then marks the pages as clean. Store the data again before
 *   the next sync.
 * - Network file systems. pmem_msync() is as durable as the server makes it.
 * - Order. Without a pmem_drain() in between, stores can reach the medium in any order.
 */
#ifndef LIBPMEM_H
#define LIBPMEM_H 1

/* For 64-bit Linux. On other machines this is the only error that the header gives. */
#if !defined(__LP64__) || !(defined(__x86_64__) || defined(__aarch64__) ||               \
			    defined(__riscv) || defined(__powerpc64__))
#error "libpmem is for x86-64, aarch64 and riscv64 with 64 bits: no -m32, no -mx32"
#else

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- mapping files ------------------------------------------------------------------- */

/* Flags of pmem_map_file. */
#define PMEM_FILE_CREATE (1 << 0)
#define PMEM_FILE_EXCL (1 << 1)
#define PMEM_FILE_SPARSE (1 << 2)
#define PMEM_FILE_TMPFILE (1 << 3)

/*
 * Maps a whole file for reading and writing. Returns the address of the mapping, or NULL.
 *
 *	path	a regular file, a device DAX, or with PMEM_FILE_TMPFILE a directory
 *	len	with PMEM_FILE_CREATE the length that the file is to have, otherwise 0
 *	mode	permission bits of a created file, less the umask
 *	mapped_lenp, is_pmemp	receive the mapped length and whether the mapping is
 *		persistent memory; each may be NULL; neither is touched on failure
 *
 *	PMEM_FILE_CREATE	creates the file if there is none; truncates or extends an existing
 *		one to len. The space is allocated. A device DAX is accepted as is (len
 *		is 0 or its exact size)
 *	PMEM_FILE_EXCL		with CREATE: fails with EEXIST if the path exists
 *	PMEM_FILE_SPARSE	with CREATE: does not allocate the space; a later store fails
 *		with SIGBUS when the disk is full
 *	PMEM_FILE_TMPFILE	with CREATE: maps a new file without a name in the directory
 *		path, mode 0600; it is gone when it is unmapped
 *
 * Mappings of 2 GiB and more start at a multiple of 1 GiB, smaller ones at a multiple of
 * 2 MiB, so that large pages can be used; PMEM_MMAP_HINT (hexadecimal, read at program
 * start) is the lowest address that is tried. No descriptor stays open.
 *
 * A call that succeeds with *is_pmemp 0 sets the message of pmem_errormsg() all the same:
 * it says why. A call that succeeds leaves errno as it was, unless the file system
 * refused MAP_SYNC (it is not on persistent memory, or not mounted with -o dax). Then
 * errno is EOPNOTSUPP, whatever *is_pmemp is.
 *
 * A call that fails removes the file that it created, and gives an existing file its old
 * length back. If it had truncated that file, the bytes that it cut off read as zeros.
 *
 * errno: EINVAL (path is NULL, or is not a file that can be mapped; unknown flags; len
 * and flags do not go together; the file is empty), EFBIG (also beyond RLIMIT_FSIZE;
 * there is no SIGXFSZ), ENOMEM (address space, or vm.max_map_count), and those of
 * access(2), open(2), ftruncate(2), posix_fallocate(3) and mmap(2).
 */
void *pmem_map_file(const char *path, size_t len, int flags, mode_t mode,
		    size_t *mapped_lenp, int *is_pmemp);

/*
 * Unmaps [addr, addr + len), which may be a part of one mapping or span several; len is
 * rounded up to whole pages, of a file on hugetlbfs to whole huge pages. Returns 0, or -1
 * with EINVAL: addr is not a multiple of the page size, len is 0, or the range wraps
 * around. It makes nothing durable.
 */
int pmem_unmap(void *addr, size_t len);

/*
 * Returns 1 if every byte of [addr, addr + len) lies in mappings of pmem_map_file that
 * are persistent memory (device DAX, or a file that was granted MAP_SYNC), so that
 * pmem_persist() makes stores durable; otherwise 0, also for len 0. The call is cheap and
 * takes no lock, but it is meant to be made once per mapping, not once per store. errno
 * is not changed.
 *
 * The environment variable PMEM_IS_PMEM_FORCE, read at the first call in the process,
 * makes the answer always 0 ("0") or always 1 ("1").
 */
int pmem_is_pmem(const void *addr, size_t len);

/* --- making stores durable ----------------------------------------------------------- */

/*
 * Makes stores to [addr, addr + len) durable, on persistent memory, by pmem_flush() and
 * pmem_drain(). The range needs no alignment; whole cache lines are written back. On
 * other memory the call does no harm and promises nothing.
 */
void pmem_persist(const void *addr, size_t len);

/*
 * Makes stores to [addr, addr + len) durable with msync(2), on any mapping of a file.
 * addr is rounded down to the page. Returns 0 (also for len 0), or -1 with ENOMEM (a page
 * is not mapped), EIO (the data may be lost), EINVAL (the range wraps around; device
 * DAX).
 */
int pmem_msync(const void *addr, size_t len);

/*
 * The two halves of pmem_persist(): pmem_flush starts the write-back of each cache line
 * of the range; pmem_drain waits until the lines that this thread flushed, and its
 * non-temporal stores, are durable. Several flushes can share one drain. Where the
 * platform writes caches back on power loss, or with PMEM_NO_FLUSH=1, pmem_flush does
 * nothing, and pmem_drain still orders stores.
 */
void pmem_flush(const void *addr, size_t len);
void pmem_drain(void);

/* Returns 0: no platform has a separate hardware drain any more. */
int pmem_has_hw_drain(void);

/*
 * Returns 1 if the platform writes the CPU caches back on power loss (eADR), on all its
 * persistent memory; 0 if not, or if there is none; -1 with EIO if the kernel's answer
 * makes no sense. PMEM_NO_FLUSH does not change the answer.
 */
int pmem_has_auto_flush(void);

/*
 * The same as the functions without "deep", but down to the smallest failure domain of
 * the platform, even where the caches need no flushing: pmem_deep_flush always writes the
 * cache lines back; pmem_deep_drain also waits for the kernel (msync, or the flush of a
 * device DAX's NVDIMM region). They are slow. The int functions return 0 (also for len
 * 0), or -1: ENOMEM (a page is not mapped), EIO and others of msync(2); of a device DAX,
 * errors of its region's deep_flush file when the kernel says that the flush is needed;
 * EINVAL (the range wraps around).
 */
void pmem_deep_flush(const void *addr, size_t len);
int pmem_deep_drain(const void *addr, size_t len);
int pmem_deep_persist(const void *addr, size_t len);

/* --- copying to persistent memory ---------------------------------------------------- */

/*
 * Flags of pmem_memmove, pmem_memcpy and pmem_memset. Any combination is valid; where they
 * contradict, NOFLUSH wins over NONTEMPORAL and WC, and these win over TEMPORAL and WB.
 *
 *	NODRAIN		do not wait: the data is durable only after pmem_drain()
 *	NONTEMPORAL	use non-temporal stores, which bypass the caches
 *	TEMPORAL	use ordinary stores, then flush
 *	WC, WB		hints (write-combining, write-back) that work like NONTEMPORAL and
 *			TEMPORAL; where flushing is not needed WC uses ordinary stores
 *	NOFLUSH		only store; do not flush, do not wait
 *
 * Without a flag the library chooses by length: from PMEM_MOVNT_THRESHOLD bytes on it
 * uses non-temporal stores. Moves by less than 512 bytes may use ordinary stores whatever
 * the flags say: they overwrite lines that they have just brought into the cache.
 */
#define PMEM_F_MEM_NODRAIN (1U << 0)
#define PMEM_F_MEM_NONTEMPORAL (1U << 1)
#define PMEM_F_MEM_TEMPORAL (1U << 2)
#define PMEM_F_MEM_WC (1U << 3)
#define PMEM_F_MEM_WB (1U << 4)
#define PMEM_F_MEM_NOFLUSH (1U << 5)

#define PMEM_F_MEM_VALID_FLAGS                                                           \
	(PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NONTEMPORAL | PMEM_F_MEM_TEMPORAL |             \
	 PMEM_F_MEM_WC | PMEM_F_MEM_WB | PMEM_F_MEM_NOFLUSH)

/*
 * memmove, memcpy and memset that also make the destination durable, as the flags say,
 * and return pmemdest. The ranges may overlap in all of them, also in memcpy. They work
 * on any memory and write nothing outside of [pmemdest, pmemdest + len).
 *
 * What is stored at once: a copy or set of 1, 2, 4 or 8 bytes to an address that is a
 * multiple of its length is one store. Neither another thread nor a power loss can find
 * half of it. When pmemdest and len are multiples of 8, no aligned 8 bytes are ever torn,
 * for any length and any flags. Nothing is promised on the order of the stores of one
 * call.
 *
 * Unknown flag bits are ignored.
 */
void *pmem_memmove(void *pmemdest, const void *src, size_t len, unsigned flags);
void *pmem_memcpy(void *pmemdest, const void *src, size_t len, unsigned flags);
void *pmem_memset(void *pmemdest, int c, size_t len, unsigned flags);

/* The same with flags 0. */
void *pmem_memmove_persist(void *pmemdest, const void *src, size_t len);
void *pmem_memcpy_persist(void *pmemdest, const void *src, size_t len);
void *pmem_memset_persist(void *pmemdest, int c, size_t len);

/* The same with PMEM_F_MEM_NODRAIN. */
void *pmem_memmove_nodrain(void *pmemdest, const void *src, size_t len);
void *pmem_memcpy_nodrain(void *pmemdest, const void *src, size_t len);
void *pmem_memset_nodrain(void *pmemdest, int c, size_t len);

/* --- version and errors -------------------------------------------------------------- */

/* The version of this interface, for pmem_check_version. */
#define PMEM_MAJOR_VERSION 1
#define PMEM_MINOR_VERSION 1

/*
 * Returns NULL if the library that the program runs with has the interface version that
 * it was written for: the same major version and at least this minor version. Otherwise
 * it returns a text that says what differs, which is also the thread's message. errno is
 * not changed.
 */
const char *pmem_check_version(unsigned major_required, unsigned minor_required);

/*
 * Returns the message of the calling thread's last failure; "" before the first one,
 * never NULL. The text stays valid until the thread ends, and changes with its next
 * failure.
 */
const char *pmem_errormsg(void);

/* --- logging ------------------------------------------------------------------------- */

/*
 * The library logs nothing until the program has set a threshold or a function. After
 * that, messages up to the level of PMEM_LOG_THRESHOLD go to the function. If there is
 * none, they go to syslog, and those up to the level of PMEM_LOG_THRESHOLD_AUX also to
 * standard error.
 */
enum pmem_log_level {
	PMEM_LOG_LEVEL_HARK,	/* about the library itself; never suppressed */
	PMEM_LOG_LEVEL_FATAL,	/* cannot go on */
	PMEM_LOG_LEVEL_ERROR,	/* a call has failed */
	PMEM_LOG_LEVEL_WARNING, /* something that may end badly */
	PMEM_LOG_LEVEL_NOTICE,	/* something unusual */
	PMEM_LOG_LEVEL_INFO,	/* such as why a mapping is no persistent memory */
	PMEM_LOG_LEVEL_DEBUG	/* everything */
};

enum pmem_log_threshold {
	PMEM_LOG_THRESHOLD,    /* initially PMEM_LOG_LEVEL_WARNING */
	PMEM_LOG_THRESHOLD_AUX /* initially PMEM_LOG_LEVEL_HARK */
};

/*
 * Receives a message without a newline, and the place in the library's source that logged
 * it. The texts are valid during the call only. The thread that logs calls the function,
 * and several may do so at once. The function may call the library; a message of that
 * call comes to the function again.
 */
typedef void pmem_log_function(enum pmem_log_level level, const char *file, unsigned line,
			       const char *function, const char *message);

#define PMEM_LOG_USE_DEFAULT_FUNCTION ((pmem_log_function *)0)

/*
 * These return 0, or EINVAL if an argument is none of the values above. errno is not
 * changed.
 */
int pmem_log_set_threshold(enum pmem_log_threshold threshold, enum pmem_log_level level);
int pmem_log_get_threshold(enum pmem_log_threshold threshold, enum pmem_log_level *level);

/* Sets the function, or restores the default. Returns 0. */
int pmem_log_set_function(pmem_log_function *function);

/* The smallest part of a pool set (used by the pool libraries). */
#define PMEM_MIN_PART ((size_t)(1024 * 1024 * 2))

#ifdef __cplusplus
}
#endif

#endif /* 64-bit */

#endif
