/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemblk: an array of blocks of one size in a file, each written atomically.
 *
 * A block holds what the last completed write left there. If the power failed during a
 * write, the block holds all of its old or all of its new contents, never a mixture. Two
 * blocks are not written atomically together, not even by pmemblk_writev().
 *
 *	PMEMblkpool *pool = pmemblk_create(path, 4096, 64 << 20, 0644);
 *	char block[4096] = "hello";
 *
 *	if (!pool || pmemblk_write(pool, block, 0) != 0)
 *		errx(1, "%s", pmemblk_errormsg());
 *	pmemblk_close(pool);
 *
 * The array lives in a pool: one file, or several that a pool set file lists. Files on
 * persistent memory (file systems mounted with -o dax, device DAX) are written with
 * flushes and fences, all others with msync(2); both survive a power loss.
 *
 * Errors. Functions that return NULL or -1 have set errno and a message for
 * pmemblk_errormsg(). A call that succeeds leaves both alone.
 *
 * Threads. Any number of threads may call pmemblk_read, _write, _set_zero, _set_error,
 * _readv, _writev, _set_zero_range, _bsize and _nblock for the same pool at once, also for
 * the same block: a read sees the block as one of the writes left it. pmemblk_close must
 * come after all of these calls.
 * No function is a cancellation point: a thread that is cancelled completes its call
 * first. A thread with asynchronous cancelability (PTHREAD_CANCEL_ASYNCHRONOUS) must not
 * call them.
 *
 * Fork. Both processes may read the pool. Only one process may modify it, its owner: at
 * first the one that opened it. In other processes the modifying calls fail with EBUSY.
 * When the owner has closed the pool, has exited or has executed another program, the
 * next process that modifies the pool becomes its owner. So a program may open its pool
 * and then become a daemon. libpmemblk(7) says how the library knows that an owner is
 * gone. A child may close the pool at any time, whatever the threads of its parent are
 * doing. The file stays locked until the last of the processes has closed the pool or
 * ended.
 *
 * Caveats.
 *
 * - Order. Two writes may reach the medium in either order. A call that has returned 0 is
 *   durable; a call that has not returned yet may or may not be.
 * - Signals. No function may be called from a signal handler. A handler that has interrupted a
 *   call has to return to it: no siglongjmp(), and no cancellation point while the thread may be
 *   cancelled. If it forks, the child must not return to the call. An interrupted system call is
 *   repeated. Only a call that waits for a pool in use (lock.wait) can end early with EINTR.
 * - Failed syncs. After EIO from a modifying call, close the pool and open it again before you
 *   write. Opening stores again what a failed write-back may have left out.
 * - Full disks. pmemblk_create() allocates all space. A file with holes (copied sparsely,
 *   or made by you and used with fallocate.at_create=0) needs space at the first store to
 *   a hole. If there is none, the kernel sends SIGBUS; with sigbus.catch=1 the call fails
 *   with EIO.
 * - Changes from outside. Do not truncate, punch holes into or write to the files of an
 *   open pool. An access to a page that is gone raises SIGBUS, as above. The library does
 *   not notice bytes that somebody else changes.
 * - Backups. A copy that is read while the pool is open holds parts of different moments
 *   and is not a valid pool. Close the pool first, or take a snapshot of the volume: it
 *   opens as a pool does after a power loss.
 * - Network file systems. The lock is flock(2), which some of them keep on one machine only, and
 *   a sync may end in a cache of the server. Keep pools on local file systems. On some, a
 *   file that is only read (checked, or opened for copy on write) gets a lock that other
 *   readers can share.
 * - Containers. The lock works between all containers of a machine that share the file. A
 *   child in another pid namespace takes the owner of a pool for alive until it knows
 *   that the owner is gone.
 * - Descriptors. None stays open, so close_range(2) and daemon(3) do no harm. The locks
 *   are released when the pool is closed or the process ends.
 * - Programs that end without pmemblk_close() lose nothing. The pool is recovered when it is
 *   opened next.
 */
#ifndef LIBPMEMBLK_H
#define LIBPMEMBLK_H 1

/* For 64-bit Linux. On other machines this is the only error that the header gives. */
#if !defined(__LP64__) || !(defined(__x86_64__) || defined(__aarch64__) ||               \
			    defined(__riscv) || defined(__powerpc64__))
#error "libpmemblk is for x86-64, aarch64 and riscv64 with 64 bits: no -m32, no -mx32"
#else

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open pool. */
typedef struct pmemblk PMEMblkpool;

/* The version of this interface, see pmemblk_check_version(). */
#define PMEMBLK_MAJOR_VERSION 1
#define PMEMBLK_MINOR_VERSION 1

/* The smallest pool in bytes: the sum of the usable parts of its files. */
#if defined(__powerpc64__)
#define PMEMBLK_MIN_POOL ((size_t)16908288)
#else
#define PMEMBLK_MIN_POOL ((size_t)16785408)
#endif

/* The smallest file of a pool set in bytes. */
#define PMEMBLK_MIN_PART ((size_t)2097152)

/* Smaller blocks are allowed, but take as much space as blocks of this size. */
#define PMEMBLK_MIN_BLK ((size_t)512)

/* --- pools --------------------------------------------------------------------------- */

/*
 * Creates a pool and opens it.
 *
 *	path	 the file to make; with poolsize 0 an existing file, device DAX or pool set
 *		 file, see poolset(5)
 *	bsize	 bytes per block, 1 to 4294967295. The number of blocks follows from it and
 *		 from the size of the pool; it must be at least 256
 *	poolsize length of the file to make, at least PMEMBLK_MIN_POOL; or 0 for a pool in
 *		 the whole of an existing file whose first 4096 bytes are zero
 *	mode	 permission bits of the files made here; the umask is NOT applied. Files that
 *		 existed before keep theirs
 *
 * All blocks read as zeros. The space is allocated. A file made here has no permission
 * bits until it is complete. A call that fails removes the files that it made, and leaves
 * files that existed as they were. If it had begun to write to a device DAX, the first 2
 * MiB of the device are zero afterwards.
 *
 *	EINVAL	bsize or poolsize is out of range; fewer than 256 blocks; not a file that can
 *		hold a pool, or that holds the flog of another one; on hugetlbfs, a size that
 *		is not a multiple of the huge page; an error in the pool set file or in PMEMBLK_CONF(_FILE)
 *	EEXIST	poolsize is not 0 and path exists; the file's first 4096 bytes are not zero
 *	ENOENT	poolsize is 0 and path does not exist; a folder does not exist
 *	EAGAIN	a file is locked, most often because another process has the pool open; a
 *		file is listed twice
 *	EINTR	a signal was handled while the call waited for a pool in use (lock.wait)
 *	EFBIG	longer than the file system or RLIMIT_FSIZE allows, or, on ramfs, than the memory of
 *		the machine
 *	ENOSPC	not enough free space, or memory where files are kept there (ramfs, tmpfs)
 *	ENOTSUP	the pool set has replicas
 *	EIO	the media has bad blocks there, or could not be written
 *	EACCES	no permission
 *	ENOMEM	out of memory or address space
 *	EFAULT	path is NULL
 *	others	as from open(2): EROFS, ENOTDIR, ENAMETOOLONG, ELOOP, ...
 */
PMEMblkpool *pmemblk_create(const char *path, size_t bsize, size_t poolsize, mode_t mode);

/*
 * Opens a pool and locks it until pmemblk_close(). Writes that were interrupted when the
 * pool was last in use are completed or dropped. bsize has to be the pool's block size,
 * or 0 for any.
 *
 * If the pool has features that this version does not know but may ignore for reading,
 * the pool is opened read-only: modifying calls fail with EROFS, and the file is not
 * changed.
 *
 *	EINVAL	not a pool of blocks; another block size; damaged in a way that opening must
 *		not decide on its own (pmemblk_check() says what); a pool set file that does
 *		not match its files; an unsafe shutdown of the memory modules was recorded
 *		while the pool was open
 *	EAGAIN	locked, most often because another process has the pool open
 *	EINTR	a signal was handled while the call waited for a locked pool (lock.wait)
 *	ENOENT	path or a part of the set does not exist
 *	EACCES	no permission to read and write; reading is enough for copy on write
 *	ENOTSUP	the pool set has replicas; copy on write of a device DAX
 *	EIO	the media has bad blocks there, or could not be written
 *	ENOMEM	out of memory or address space
 *	others	as from open(2)
 */
PMEMblkpool *pmemblk_open(const char *path, size_t bsize);

/*
 * Makes everything durable, marks the pool as cleanly closed and unlocks it. No other
 * thread may use the pool any more. NULL is allowed.
 */
void pmemblk_close(PMEMblkpool *pbp);

/*
 * Examines a pool that nobody has open. Returns 1 if it is consistent; a pool whose
 * writer was killed in the middle of a write is consistent. Returns 0 if it is not; the
 * message says what was found last. Returns -1 if the pool could not be examined, with
 * errno as from pmemblk_open(). Nothing is ever changed, and permission to read is
 * enough.
 */
int pmemblk_check(const char *path, size_t bsize);

/*
 * Return the bytes per block that the pool was created with, and its number of blocks.
 * Never fail.
 */
size_t pmemblk_bsize(PMEMblkpool *pbp);
size_t pmemblk_nblock(PMEMblkpool *pbp);

/*
 * Block numbers are long long, which C89 and C++98 do not have. Compilers accept it all
 * the same; the pragma silences the warning that -pedantic gives.
 */
#ifdef __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wlong-long"
#endif

/* --- blocks -------------------------------------------------------------------------- */

/*
 * Copies a block to buf, which holds bsize bytes. Blocks that were never written and
 * blocks set to zero read as zeros.
 *
 *	EINVAL	blockno is negative or not less than the number of blocks
 *	EIO	the block is in the error state, or the pool is damaged there; the contents
 *		of buf are undefined then
 *	EBUSY	another process owns the pool, see "Fork" above, and is stopped in the middle
 *		of a change of the block, or changes it all the time
 */
int pmemblk_read(PMEMblkpool *pbp, void *buf, long long blockno);

/*
 * Replaces a block by the bsize bytes at buf, atomically. It is durable when the call
 * returns 0. Takes the block out of the error state.
 *
 *	EINVAL	as pmemblk_read()
 *	EROFS	the pool is read-only
 *	EBUSY	another process owns the pool, see "Fork" above
 *	EIO	that part of the pool is damaged and can only be read; or the sync of the file
 *		failed: all modifying calls fail until the pool is opened again, and the
 *		block may then be old or new
 */
int pmemblk_write(PMEMblkpool *pbp, const void *buf, long long blockno);

/*
 * Makes a block read as zeros, without writing its data. Durable when it returns 0. Errors
 * as pmemblk_write().
 */
int pmemblk_set_zero(PMEMblkpool *pbp, long long blockno);

/*
 * Puts a block into the error state: reading it fails with EIO until it is written or set
 * to zero. Durable when it returns 0. Errors as pmemblk_write().
 */
int pmemblk_set_error(PMEMblkpool *pbp, long long blockno);

/* --- many blocks at once ------------------------------------------------------------- */

/*
 * These functions are an extension of this library: the original does not have them. Source code
 * can test for PMEMBLK_HAVE_BATCHES. If a program uses the functions and is started with a library
 * that lacks them, the loader stops it.
 *
 * A batch takes as many ordered steps as a single block: for each 128 blocks two fences on
 * persistent memory, or two syncs on an ordinary file. A range of zeros takes one step for each
 * 4096 blocks.
 *
 * - Each block is atomic by itself, as with pmemblk_write(), and all blocks are durable when the
 *   call returns 0. There is no order among the blocks. After a power loss in the middle of a
 *   call any of them may be new.
 * - A vector may have any length. If it names a block more than once, the last one counts.
 *   Elements without blocks are skipped, whatever else they hold. A call without any blocks
 *   succeeds.
 * - Other threads may read and write meanwhile, also the same blocks.
 *
 * Errors. The functions return 0 or -1. *failed receives the number of the block that caused the
 * error, or of one of them if several blocks did. It receives -1 if no single block caused the
 * error, or if there is no error. failed may be NULL. (readv(2) and writev(2) return the number of
 * bytes before the error. The blocks of a batch have no order, so that number would not say which
 * of them are written.)
 *
 *	EINVAL	block *failed does not exist; n is more than memory can hold
 *	EFAULT	iov is NULL; the buffer of block *failed is NULL
 *	EROFS, EBUSY	as pmemblk_write()
 *	EIO	*failed is a block that cannot be read or modified; or *failed is -1, and the sync
 *		of the file failed, or there was a media error, as with pmemblk_write()
 *
 * After EINVAL, EFAULT, EROFS and EBUSY nothing was written. After EIO each block is old or new.
 */
#define PMEMBLK_HAVE_BATCHES 1

/* nblock consecutive blocks, beginning with blockno, and their buffer of nblock * bsize bytes. */
struct pmemblk_iovec {
	void *buf;
	long long blockno;
	size_t nblock;
};

/*
 * Copies blocks to their buffers, one after the other. If it fails, the blocks before *failed in
 * the order of the vector are in their buffers; the contents of the other buffers are undefined.
 * Errors also as pmemblk_read().
 */
int pmemblk_readv(PMEMblkpool *pbp, const struct pmemblk_iovec *iov, size_t n,
		  long long *failed);

/* Replaces blocks by the contents of their buffers. The buffers are not changed. */
int pmemblk_writev(PMEMblkpool *pbp, const struct pmemblk_iovec *iov, size_t n,
		   long long *failed);

/* Makes nblock blocks, beginning with blockno, read as zeros, without writing data. */
int pmemblk_set_zero_range(PMEMblkpool *pbp, long long blockno, size_t nblock,
			   long long *failed);

#ifdef __GNUC__
#pragma GCC diagnostic pop
#endif

/* --- the library --------------------------------------------------------------------- */

/*
 * Checks at run time whether the library offers the interface that a program was compiled
 * with. Returns NULL if it does, otherwise a text that says what is missing.
 */
const char *pmemblk_check_version(unsigned major_required, unsigned minor_required);

/*
 * Returns the message of the calling thread's last failure, "" if there was none; never
 * NULL. The text is valid until the thread's next failure.
 */
const char *pmemblk_errormsg(void);

/*
 * Sets the functions with which the library allocates and frees its memory; NULL stands
 * for the function of the C library. Call this before any other function of the library.
 */
void pmemblk_set_funcs(void *(*malloc_func)(size_t size), void (*free_func)(void *ptr),
		       void *(*realloc_func)(void *ptr, size_t size),
		       char *(*strdup_func)(const char *s));

/*
 * Settings of the library, see pmem_ctl(5). They belong to the process; pbp is ignored and
 * may be NULL. arg points to an int. Entries, all to get and set, none to execute:
 *
 *	prefault.at_create, prefault.at_open	 [0] touch all pages of the pool
 *	sds.at_create				 [1] record the shutdown state in new pools
 *	fallocate.at_create			 [1] allocate the space of existing files
 *	copy_on_write.at_open			 [0] changes are seen by this process only
 *						 and gone after pmemblk_close()
 *	sigbus.catch				 [0] see "Media errors" below
 *	lock.wait				 [0] see "Waiting" below
 *
 * Media errors. An access to a lost page of persistent memory raises SIGBUS, and so does
 * a store to a hole of a file on a full disk. Pools that are created, opened or checked
 * while sigbus.catch is 1 survive that. pmemblk_read() of a block on such a page fails
 * with EIO. A modifying call that meets such a page fails with EIO, and so do all later
 * ones until the pool is opened again. The library's SIGBUS handler serves only accesses
 * that its own functions make to these pools; every other SIGBUS goes to the handler that
 * was installed before the first of these pools was opened. A program that installs
 * another handler while they are open has to call the old one for each SIGBUS that is not
 * its own, with all three arguments, and must not unload the library before it has
 * restored the old one. Threads that use these pools must not block SIGBUS.
 *
 * Waiting. A pool that is open, in another process or in this one, is locked. lock.wait is the
 * number of milliseconds that create, open and check wait for such a pool before they fail with
 * EAGAIN. 0: they do not wait. -1: they wait without limit. A waiting call holds no file and no
 * lock, and tries again every 5 to 20 milliseconds. If several calls wait, chance decides which of
 * them gets the pool next. A signal that the thread handles ends the wait with EINTR. A thread that
 * waits without limit for a pool that it has open itself waits for ever.
 *
 * Return 0, or -1 with EINVAL for an unknown name, a NULL argument or a lock.wait below -1. The
 * environment variables PMEMBLK_CONF ("name=value;name=value") and PMEMBLK_CONF_FILE (a file
 * with the same) set them when the library is loaded.
 */
int pmemblk_ctl_get(PMEMblkpool *pbp, const char *name, void *arg);
int pmemblk_ctl_set(PMEMblkpool *pbp, const char *name, void *arg);
int pmemblk_ctl_exec(PMEMblkpool *pbp, const char *name, void *arg);

#ifdef __cplusplus
}
#endif

#endif /* 64-bit */

#endif
