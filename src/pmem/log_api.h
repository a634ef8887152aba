/* SPDX-License-Identifier: BSD-3-Clause */
/* The logging interface is public; this is for its test. */
#ifndef LOG_API_H
#define LOG_API_H 1

/* The socket of the system's log; only tests set it. */
extern const char *log_api_socket;

#endif
