/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_headers.sh compiles this file as C99, C11 and C++. It checks that every function has
 * exactly the type that programs rely on, and every constant its value; in C11 and C++11 also the
 * constants' types.
 */
#include <libpmem.h>
#include <libpmemblk.h>
#include <libpmem.h>
#include <libpmemblk.h>

#if LIBPMEM_H != 1 || LIBPMEMBLK_H != 1
#error the guards are defined to 1
#endif

/* Each function initialises a pointer of its documented type; -Werror catches the rest. */

/* In C++ a const variable is local to its file; in C it has to be used or external. */
#ifdef __cplusplus
#define EXTERN extern
#else
#define EXTERN
#endif

#define FUNCTION(name, result, ...)                                                      \
	EXTERN result (*const type_of_##name)(__VA_ARGS__);                              \
	result (*const type_of_##name)(__VA_ARGS__) = name

FUNCTION(pmem_map_file, void *, const char *, size_t, int, mode_t, size_t *, int *);
FUNCTION(pmem_unmap, int, void *, size_t);
FUNCTION(pmem_is_pmem, int, const void *, size_t);
FUNCTION(pmem_persist, void, const void *, size_t);
FUNCTION(pmem_flush, void, const void *, size_t);
FUNCTION(pmem_deep_flush, void, const void *, size_t);
FUNCTION(pmem_msync, int, const void *, size_t);
FUNCTION(pmem_deep_drain, int, const void *, size_t);
FUNCTION(pmem_deep_persist, int, const void *, size_t);
FUNCTION(pmem_drain, void, void);
FUNCTION(pmem_has_hw_drain, int, void);
FUNCTION(pmem_has_auto_flush, int, void);
FUNCTION(pmem_memmove, void *, void *, const void *, size_t, unsigned);
FUNCTION(pmem_memcpy, void *, void *, const void *, size_t, unsigned);
FUNCTION(pmem_memset, void *, void *, int, size_t, unsigned);
FUNCTION(pmem_memmove_persist, void *, void *, const void *, size_t);
FUNCTION(pmem_memcpy_persist, void *, void *, const void *, size_t);
FUNCTION(pmem_memmove_nodrain, void *, void *, const void *, size_t);
FUNCTION(pmem_memcpy_nodrain, void *, void *, const void *, size_t);
FUNCTION(pmem_memset_persist, void *, void *, int, size_t);
FUNCTION(pmem_memset_nodrain, void *, void *, int, size_t);
FUNCTION(pmem_check_version, const char *, unsigned, unsigned);
FUNCTION(pmem_errormsg, const char *, void);

typedef void log_type(enum pmem_log_level, const char *, unsigned, const char *,
		      const char *);
FUNCTION(pmem_log_set_threshold, int, enum pmem_log_threshold, enum pmem_log_level);
FUNCTION(pmem_log_get_threshold, int, enum pmem_log_threshold, enum pmem_log_level *);
FUNCTION(pmem_log_set_function, int, log_type *);

FUNCTION(pmemblk_create, PMEMblkpool *, const char *, size_t, size_t, mode_t);
FUNCTION(pmemblk_open, PMEMblkpool *, const char *, size_t);
FUNCTION(pmemblk_close, void, PMEMblkpool *);
FUNCTION(pmemblk_check, int, const char *, size_t);
FUNCTION(pmemblk_bsize, size_t, PMEMblkpool *);
FUNCTION(pmemblk_nblock, size_t, PMEMblkpool *);
FUNCTION(pmemblk_read, int, PMEMblkpool *, void *, long long);
FUNCTION(pmemblk_write, int, PMEMblkpool *, const void *, long long);
FUNCTION(pmemblk_set_zero, int, PMEMblkpool *, long long);
FUNCTION(pmemblk_set_error, int, PMEMblkpool *, long long);
FUNCTION(pmemblk_readv, int, PMEMblkpool *, const struct pmemblk_iovec *, size_t,
	 long long *);
FUNCTION(pmemblk_writev, int, PMEMblkpool *, const struct pmemblk_iovec *, size_t,
	 long long *);
FUNCTION(pmemblk_set_zero_range, int, PMEMblkpool *, long long, size_t, long long *);
FUNCTION(pmemblk_check_version, const char *, unsigned, unsigned);
FUNCTION(pmemblk_errormsg, const char *, void);
FUNCTION(pmemblk_ctl_get, int, PMEMblkpool *, const char *, void *);
FUNCTION(pmemblk_ctl_set, int, PMEMblkpool *, const char *, void *);
FUNCTION(pmemblk_ctl_exec, int, PMEMblkpool *, const char *, void *);

typedef void *malloc_type(size_t);
typedef void free_type(void *);
typedef void *realloc_type(void *, size_t);
typedef char *strdup_type(const char *);
FUNCTION(pmemblk_set_funcs, void, malloc_type *, free_type *, realloc_type *,
	 strdup_type *);

/* The handle is a typedef of this incomplete struct. */
EXTERN struct pmemblk *pool_handle;
struct pmemblk *pool_handle = (PMEMblkpool *)0;

/* Values: an array type cannot have a negative size. That they are integer constant
 * expressions is shown on the way. */
#define VALUE(macro, value) typedef char value_of_##macro[(macro) == (value) ? 1 : -1]

VALUE(PMEM_FILE_CREATE, 1);
VALUE(PMEM_FILE_EXCL, 2);
VALUE(PMEM_FILE_SPARSE, 4);
VALUE(PMEM_FILE_TMPFILE, 8);
VALUE(PMEM_F_MEM_NODRAIN, 0x01);
VALUE(PMEM_F_MEM_NONTEMPORAL, 0x02);
VALUE(PMEM_F_MEM_TEMPORAL, 0x04);
VALUE(PMEM_F_MEM_WC, 0x08);
VALUE(PMEM_F_MEM_WB, 0x10);
VALUE(PMEM_F_MEM_NOFLUSH, 0x20);
VALUE(PMEM_F_MEM_VALID_FLAGS, 0x3f);
VALUE(PMEM_LOG_LEVEL_HARK, 0);
VALUE(PMEM_LOG_LEVEL_FATAL, 1);
VALUE(PMEM_LOG_LEVEL_ERROR, 2);
VALUE(PMEM_LOG_LEVEL_WARNING, 3);
VALUE(PMEM_LOG_LEVEL_NOTICE, 4);
VALUE(PMEM_LOG_LEVEL_INFO, 5);
VALUE(PMEM_LOG_LEVEL_DEBUG, 6);
VALUE(PMEM_LOG_THRESHOLD, 0);
VALUE(PMEM_LOG_THRESHOLD_AUX, 1);
VALUE(PMEM_MAJOR_VERSION, 1);
VALUE(PMEM_MINOR_VERSION, 1);
VALUE(PMEM_MIN_PART, 2097152);
VALUE(PMEMBLK_MIN_POOL, 16785408);
VALUE(PMEMBLK_MIN_PART, 2097152);
VALUE(PMEMBLK_MIN_BLK, 512);
VALUE(PMEMBLK_MAJOR_VERSION, 1);
VALUE(PMEMBLK_MINOR_VERSION, 1);

#if !defined(__cplusplus) && __STDC_VERSION__ >= 201112L
#define IS_TYPE(macro, type)                                                             \
	_Static_assert(_Generic((macro), type : 1, default : 0), #macro " is " #type)
#elif defined(__cplusplus) && __cplusplus >= 201103L
template <class A, class B> struct same {
	static const bool value = false;
};
template <class A> struct same<A, A> {
	static const bool value = true;
};
#define IS_TYPE(macro, type)                                                             \
	static_assert(same<decltype(macro), type>::value, #macro " is " #type)
#else
#define IS_TYPE(macro, type)                                                             \
	typedef char type_of_##macro[sizeof(macro) == sizeof(type) ? 1 : -1]
#endif

IS_TYPE(PMEM_FILE_CREATE, int);
IS_TYPE(PMEM_FILE_EXCL, int);
IS_TYPE(PMEM_FILE_SPARSE, int);
IS_TYPE(PMEM_FILE_TMPFILE, int);
IS_TYPE(PMEM_F_MEM_NODRAIN, unsigned);
IS_TYPE(PMEM_F_MEM_NONTEMPORAL, unsigned);
IS_TYPE(PMEM_F_MEM_TEMPORAL, unsigned);
IS_TYPE(PMEM_F_MEM_WC, unsigned);
IS_TYPE(PMEM_F_MEM_WB, unsigned);
IS_TYPE(PMEM_F_MEM_NOFLUSH, unsigned);
IS_TYPE(PMEM_F_MEM_VALID_FLAGS, unsigned);
IS_TYPE(PMEM_MAJOR_VERSION, int);
IS_TYPE(PMEM_MINOR_VERSION, int);
IS_TYPE(PMEM_MIN_PART, size_t);
IS_TYPE(PMEMBLK_MIN_POOL, size_t);
IS_TYPE(PMEMBLK_MIN_PART, size_t);
IS_TYPE(PMEMBLK_MIN_BLK, size_t);
IS_TYPE(PMEMBLK_MAJOR_VERSION, int);
IS_TYPE(PMEMBLK_MINOR_VERSION, int);
