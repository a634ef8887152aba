/* SPDX-License-Identifier: BSD-3-Clause */
/* For the test of the logging interface, which itself is public. */
#ifndef LOG_API_H
#define LOG_API_H 1

/* The socket of the system's log; only tests set it. */
extern const char *log_api_socket;

#endif
