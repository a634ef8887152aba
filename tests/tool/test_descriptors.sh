#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): no descriptor of the tool, or of the library in it, gets into another program.
. "$(dirname "$0")/lib.sh"

need_command strace strace
strace true 2>/dev/null || skip "strace may not trace here"
[ -z "${RUNNER:-}${SAN:-}" ] || skip "for plain variants"

# traced STATUS FILE ARGS...: the tool has to open FILE, and all that it opens is closed by execve.
traced()
{
	local want=$1 file=$2 rc=0
	shift 2
	strace -f -o "$work/trace" "$BUILD/bin/pmemblk" "$@" >"$work/out" 2>"$work/err" </dev/null || rc=$?
	[ $rc = "$want" ] || fail "pmemblk $*: exit status $rc instead of $want"
	none_inherited "pmemblk $*" "$file" <"$work/trace"
}

pool=$work/pool
set=$work/set
printf 'PMEMPOOLSET\n17M %s\n17M %s\n' "$work/part1" "$work/part2" >"$set"
head -c 100000 /dev/urandom >"$work/in"
traced 0 "$pool" create -b 4K -s 20M -w "$pool"
traced 0 "$work/part2" create -b 4K -s 0 -w "$set"
traced 0 "$work/part2" info --stats "$set"
traced 0 "$pool" info --map="$work/map.svg" "$pool"
traced 0 "$pool" check "$pool"
traced 0 "$work/in" import "$work/in" "$pool"
traced 0 signalfd import - "$pool"
traced 0 "$work/out.new" export "$pool" "$work/out.new"
traced 0 "$work/out.new" export -f "$pool" "$work/out.new"
traced 0 F_DUPFD_CLOEXEC export "$pool" -
traced 0 "$pool" dump "$pool"
case_ok "what reads, writes and copies lets no other program have its files"

printf '\1' | dd of="$pool" bs=1 seek=24 conv=notrunc status=none
traced 1 "$pool" check "$pool"
traced 1 "$pool" repair -n "$pool"
traced 0 "$pool.undo" repair "$pool"
traced 0 "$pool.undo" repair -u "$pool.undo" "$pool"
traced 0 "$pool" repair "$pool"
traced 0 "$pool" grow -s 40M "$pool"
case_ok "what mends and grows lets no other program have its files"
