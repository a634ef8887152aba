#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1) runs on the libraries that it belongs to.
. "$(dirname "$0")/lib.sh"

if [ -z "${RUNNER:-}${SAN:-}" ]; then
	LD_DEBUG=libs LD_DEBUG_OUTPUT=$work/loader tool --version >/dev/null
	for l in libpmem libpmemblk; do
		grep -qF "calling init: $BUILD/lib/$l.so.1" "$work"/loader.* || fail "$l is not the built one"
	done
	case_ok "the tool runs on the shared libraries of this build"
fi

