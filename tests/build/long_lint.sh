#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `make lint` has no complaint. Part of `make check-long`.
. "$(dirname "$0")/lib.sh"
need_command clang-format clang-format
need_command clang-tidy clang-tidy
run_make lint
case_ok "make lint has no complaint"
