/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration of the process: queries "name=value" in the environment variable
 * PMEMBLK_CONF, then in the file that PMEMBLK_CONF_FILE names.
 *
 *	config = [query] *( ";" [query] )
 *	query  = *"=" name 1*"=" value *"="
 *	value  = *"," text [ "," anything ]
 *
 * In a file, '#' starts a comment that ends with the line, and all white space, also the ends of
 * lines, is removed. A query with an unknown name, or with a value that the entry does not take,
 * is ignored; the other queries count. A text that does not follow the grammar, or a file that
 * cannot be read, makes the whole configuration invalid. Nobody knows then what the administrator
 * wanted, so create and open fail.
 */
#ifndef CTL_CONFIG_H
#define CTL_CONFIG_H 1

#include <stdbool.h>

#include "compiler.h"

/* A longer file is refused. */
#define CTL_CONFIG_MAX (1u << 20)

/*
 * Reads these variables, and two of libpmem's (secure_getenv). Called once, by the library's
 * constructor.
 */
void ctl_config_load(void);

/* Whether libpmem's variables permit the registers of AVX-512 for copies. */
bool ctl_config_permits_avx512(void);

/* 0, or -EINVAL with a message that says what is wrong with the configuration. */
int ctl_config_check(void) MUST_CHECK;

/*
 * Applies a text, and changes it while parsing. -EINVAL if the text does not follow the grammar;
 * the message quotes the wrong query, and the queries before it have been applied.
 */
int ctl_config_apply(char *text) MUST_CHECK;

/* Removes comments and white space in place. */
void ctl_config_strip(char *text);

/* Applies a file. -EINVAL, -ENOMEM or as from open(2) and read(2), message set. */
int ctl_config_apply_file(const char *path) MUST_CHECK;

#endif
