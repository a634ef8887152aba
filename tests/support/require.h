/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An assertion for processes and threads where cmocka's do not work: prints and ends the process.
 */
#ifndef REQUIRE_H
#define REQUIRE_H 1

#include <stdio.h>
#include <unistd.h>

#define REQUIRE(condition, ...)                                                          \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, __VA_ARGS__);                                    \
			fprintf(stderr, " (%s:%d)\n", __FILE__, __LINE__);               \
			_exit(1);                                                        \
		}                                                                        \
	} while (0)

#endif
