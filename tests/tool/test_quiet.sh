#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): a command that does what it was asked for complains about nothing, and what it makes has
# the mode that the manual names.
. "$(dirname "$0")/lib.sh"
p=$work/pool

quiet()
{
	expect 0 "$@"
	[ ! -s "$work/err" ] || fail "pmemblk $*: a complaint about a success"
}

quiet create -b 512 -s 20M "$p"
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
quiet create -b 512 -s 0 -w "$work/set"
truncate -s 17M "$work/given"
quiet create -b 512 -s 0 "$work/given"
head -c 100000 /dev/urandom >"$work/raw"
for pool in "$p" "$work/set" "$work/given"; do
	quiet import "$work/raw" "$pool"
	quiet info "$pool"
	quiet info --json --stats "$pool"
	quiet info --map - "$pool"
	quiet check "$pool"
	quiet check -b 0 "$pool"
	printed ': consistent$'
	quiet repair -n "$pool"
	quiet repair "$pool"
	quiet dump -r 0-3 "$pool"
	quiet export "$pool" -
done
quiet grow -n -s 40M "$p"
quiet grow -s 40M "$p"
quiet grow -u "$p.undo" "$p"
quiet bench -b 4K -s 17M -n 10 "$work/bench"
quiet help
quiet --version
map=$((8192 + $(od -An -tu8 -N8 -j8288 "$p")))
printf '\377\377\377\377' | dd of="$p" bs=1 seek=$((map + 40)) conv=notrunc status=none
quiet repair -b "$work/kept" "$p"
quiet repair -u "$work/kept" "$p"
case_ok "a success is no reason to complain"

expect 1 check -q "$p"
[ ! -s "$work/out" ] || fail "check --quiet prints"
said 'data block [0-9]+ belongs to nobody'
case_ok "check --quiet only complains"

# With a umask that takes nothing away.
rm -f "$p"
(umask 0 && expect 0 create -b 512 "$p" && expect 0 bench --keep -b 4K -s 17M -n 0 "$work/bench") || exit 1
[ "$(stat -c %a "$p")" = 644 ] || fail "a pool has the mode $(stat -c %a "$p")"
[ "$(stat -c %a "$work/bench")" = 600 ] || fail "the pool of bench has the mode $(stat -c %a "$work/bench")"
case_ok "the modes of new pools"
