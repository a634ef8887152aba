/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIGNALS_H
#define SIGNALS_H 1

#include <signal.h>

/*
 * Blocks all signals in the calling thread, except those that its own instructions raise. *before
 * receives the mask, which the caller restores with pthread_sigmask(3). Does not change errno.
 */
void signals_block(sigset_t *before);

#endif
