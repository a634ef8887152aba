#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Builds durable_updates with what is installed (liblmdb-dev, libsqlite3-dev) and runs it in DIR, with
# COUNT updates at once, for each COUNT.
#
#	durable_updates.sh DIR COUNT...
set -eu
here=$(realpath "$(dirname "$0")")
flags=()
echo
for lib in lmdb sqlite3; do
	if pkg-config --exists $lib 2>/dev/null; then
		name=${lib%3}
		read -ra more < <(pkg-config --cflags --libs $lib)
		flags+=("-DHAVE_${name^^}" "${more[@]}")
	else
		echo "skipped: $lib is not installed"
	fi
done
"${CC:-cc}" -O2 -std=c11 -D_GNU_SOURCE -o "$1/durable_updates" "$here/durable_updates.c" "${flags[@]}"
for count in "${@:2}"; do
	echo "one durable update of 4,000 bytes, $count at once, nanoseconds for each:"
	"$1/durable_updates" "$1" 3 "$count"
done
