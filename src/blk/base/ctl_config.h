/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration of the process: queries "name=value" in the environment variable
 * PMEMBLK_CONF, then in the file that PMEMBLK_CONF_FILE names.
 *
 *	config = [query] *( ";" [query] )
 *	query  = *"=" name 1*"=" value *"="
 *	value  = *"," text [ "," anything ]
 *
 * In a file, '#' starts a comment up to the end of the line, and all white space is
 * dropped, ends of lines included. Unknown names and values that an entry does not take
 * are passed over, the rest counts. A text that breaks the grammar, or a file that cannot
 * be read, makes the whole configuration void: what the administrator wanted is unknown,
 * so create and open must not go on as if it had been something else.
 */
#ifndef CTL_CONFIG_H
#define CTL_CONFIG_H 1

#include "compiler.h"

/* A longer file is refused. */
#define CTL_CONFIG_MAX (1u << 20)

/* Reads both variables (secure_getenv). Called once, by the library's constructor. */
void ctl_config_load(void);

/* 0, or -EINVAL with a message that says what is wrong with the configuration. */
int ctl_config_check(void) MUST_CHECK;

/*
 * Applies a text, which is taken apart in place. -EINVAL (message set, quoting the text's
 * offending query) where it breaks the grammar; the queries before that have been applied.
 */
int ctl_config_apply(char *text) MUST_CHECK;

/* Removes comments and white space in place. */
void ctl_config_strip(char *text);

/* Applies a file. -EINVAL, -ENOMEM or as from open(2) and read(2), message set. */
int ctl_config_apply_file(const char *path) MUST_CHECK;

#endif
