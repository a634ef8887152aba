#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): copies and pictures when something fails or changes meanwhile: a sync, a signal, a pool
# that is replaced during the wait for it. A preloaded library (shim.c) brings it about.
. "$(dirname "$0")/lib.sh"
[ -z "${RUNNER:-}${SAN:-}" ] || skip "for plain variants of this CPU only: a library is preloaded"
$CC -std=c11 -D_GNU_SOURCE -shared -fPIC -o "$work/shim.so" "$(dirname "$0")/shim.c" -ldl
export LD_PRELOAD=$work/shim.so
p=$work/pool
umask 022
expect 0 create -b 4K -s 20M "$p"
head -c 3000000 /dev/urandom >"$work/raw"
expect 0 import "$work/raw" "$p"
expect 0 export "$p" "$work/all"

# EROFS is what ext4 says after it has aborted its journal. Pipes and devices cannot be synced.
for error in 30:'Read-only file system' 22:'Invalid argument' 95:'Operation not supported' 5:'Input/output error'; do
	export FAIL_FSYNC=${error%%:*}
	expect 3 export "$p" "$work/copy"
	said "^pmemblk: cannot write to $work/copy: ${error#*:}\$"
	[ ! -e "$work/copy" ] || fail "a copy that is not durable was left"
	expect 3 info --map="$work/copy" "$p"
	said "^pmemblk: cannot write to $work/copy: ${error#*:}\$"
	[ ! -e "$work/copy" ] || fail "a picture that is not durable was left"
	tool export "$p" - >"$work/copy" 2>"$work/err" && fail "a standard output that cannot be synced"
	said "^pmemblk: cannot write to the standard output: ${error#*:}\$"
	rm "$work/copy"
	[ "$FAIL_FSYNC" = 5 ] && continue
	tool export "$p" - | cmp - "$work/all" || fail "a pipe"
	expect 0 export "$p" /dev/null
done
unset FAIL_FSYNC
case_ok "a copy that a failed sync has lost is an error, whatever the error is"
