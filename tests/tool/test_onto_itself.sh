#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): no command prints over the pool that it works on.
. "$(dirname "$0")/lib.sh"

p=$work/pool
expect 0 create -b 4K -s 20M "$p"
head -c 100000 /dev/urandom >"$work/raw"
expect 0 import "$work/raw" "$p"
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
expect 0 create -b 4K -s 0 "$work/set"
expect 0 import "$work/raw" "$work/set"
ln "$work/part1" "$work/link"
cat "$p" "$work/set" "$work/part0" "$work/part1" >"$work/before"

# refused OUTPUT ARGS...
refused()
{
	local output=$1 rc=0
	shift
	tool "$@" 1<>"$output" 2>"$work/err" </dev/null || rc=$?
	[ $rc = 3 ] || fail "pmemblk $* onto $output: exit status $rc instead of 3"
	said '^pmemblk: the standard output is the pool itself, or a file of it: what is printed would be written over it$'
	[ "$(wc -l <"$work/err")" = 1 ] || fail "pmemblk $* onto $output: more than a message"
}
all_refused()
{
	refused "$1" info "$2"
	refused "$1" info --json --stats "$2"
	refused "$1" info --map=- "$2"
	refused "$1" info --map="$work/map" "$2"
	refused "$1" check "$2"
	refused "$1" check --quiet "$2"
	refused "$1" dump -r 0 "$2"
	refused "$1" repair "$2"
	refused "$1" repair -n "$2"
	refused "$1" grow -n -s 90M "$2"
	refused "$1" grow -s 90M "$2"
	refused "$1" import "$work/raw" "$2"
	refused "$1" export "$2" -
	refused "$1" export "$2" "$work/copy"
	refused "$1" create -b 4K -s 0 "$2"
	refused "$1" bench "$2"
	cat "$p" "$work/set" "$work/part0" "$work/part1" | cmp - "$work/before" || fail "the pool was changed"
}
all_refused "$p" "$p"
for f in set part0 part1 link; do
	all_refused "$work/$f" "$work/set"
done
[ ! -e "$work/map" ] && [ ! -e "$work/copy" ] || fail "a command that was refused has made a file"
# A set whose other part is lost.
mv "$work/part0" "$work/lost"
tool info "$work/set" 1<>"$work/part1" 2>"$work/err" && fail "an incomplete set"
said '^pmemblk: the standard output is the pool itself'
mv "$work/lost" "$work/part0"
# A pool that is locked.
if command -v flock >/dev/null; then
	exec 9<"$p"
	flock 9
	refused "$p" check --wait=-1 "$p"
	flock -u 9
fi
case_ok "no command prints over its own pool"

tool info "$p" 1<>"$work/raw" || fail "another file as standard output"
grep -aq "^path: $p" "$work/raw" || fail "nothing was printed"
tool info "$p" >/dev/null || fail "a device as standard output"
case_ok "other files can be printed to"
