/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The action of SIGBUS while mappings are watched (storage/sigbus.h). A signal that is not for us
 * does what it did without the library. Without a lock of its own: the caller's lock guards all
 * functions.
 */
#ifndef SIGBUS_ACTION_H
#define SIGBUS_ACTION_H 1

#include <signal.h>
#include <stdbool.h>

#include "compiler.h"

/*
 * Called by the handler. Returns true if it has put something in place of the page, so that the
 * access can be repeated.
 */
typedef bool sigbus_serve(const siginfo_t *info);

/* Called once, by the library's constructor. */
void sigbus_action_setup(sigbus_serve *serve);

/*
 * Puts our handler on top of the present action, unless it is installed. 0, or -errno, message
 * set; -ENOMEM: there have been too many different actions.
 */
int sigbus_action_install(void) MUST_CHECK;

/*
 * Restores the action below ours, unless the program has installed another one on top since. That
 * one may call ours, which goes on to call what is below it.
 */
void sigbus_action_remove(void);

/*
 * Puts the state of a forked child in order. If is_needed, our handler is installed again where
 * the child has the action of before, but nothing is done where the program has installed one.
 */
void sigbus_action_mend(bool is_needed);

#endif
