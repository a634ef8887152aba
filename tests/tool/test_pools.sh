#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): making, showing and checking sound pools.
. "$(dirname "$0")/lib.sh"
p=$work/pool

for c in info check; do
	expect 3 $c "$work/absent"
	said 'absent.*: No such file or directory'
	head -c 20M /dev/zero >"$work/zeros"
	expect 3 $c "$work/zeros"
	: >"$work/empty"
	expect 3 $c "$work/empty"
	expect 3 $c "$work"
done
expect 3 create -b 512 "$work/none/pool"
said 'No such file or directory'
case_ok "an error is status 3"

expect 0 create -b 512 -m 0640 "$p"
printed ': 32202 blocks of 512 bytes$'
[ "$(stat -c %a:%s "$p")" = 640:16785408 ] || fail "mode or size"
expect 3 create -b 512 "$p"
said 'exist'
expect 0 info "$p"
printed '^layout: none yet$'
printed '^blocks: 32202$'
printed '^open_or_interrupted: no$'
expect 0 check -b 512 "$p"
printed ': consistent$'
expect 0 check -q "$p"
[ ! -s "$work/out" ] || fail "--quiet prints"
expect 3 check -b 4096 "$p"
said '512.*4096'
case_ok "a fresh pool is made, shown and found consistent"

while read -r size bytes; do
	expect 0 create -b 1K -s "$size" "$work/s"
	printed ' blocks of 1024 bytes$'
	[ "$(stat -c %s "$work/s")" = "$bytes" ] || fail "$size is not $bytes bytes"
	rm "$work/s"
done <<-END
	16785408 16785408
	16785408B 16785408
	0x1002000 16785408
	0X1100000 17825792
	17M 17825792
	17m 17825792
	17MiB 17825792
	17mib 17825792
	20MB 20000000
	20mb 20000000
	17000kB 17000000
	17000KB 17000000
	16.5M 17301504
	0.0625g 67108864
	0.02GB 20000000
	17.3333333333333333m 18175317
END
for size in 4k 4K 4KiB 0x1000 4096; do
	expect 0 create -b $size "$work/s"
	printed ' blocks of 4096 bytes$'
	rm "$work/s"
done
expect 0 create -b 100000 "$work/s"
[ "$(stat -c %s "$work/s")" = 51290112 ] || fail "not the smallest pool: $(stat -c %s "$work/s")"
expect 2 create -b 100000 -s 51286016 "$work/s2"
rm "$work/s"
expect 0 create -b 4kB -w -s 32M "$work/laid"
printed ' blocks of 4000 bytes$'
expect 0 info --stats "$work/laid"
printed '^layout: written$'
printed '^  info_copy_valid: yes$'
printed '^    zero: 1$'
expect 0 check "$work/laid"
case_ok "sizes have units, and the layout can be written at once"

truncate -s 20M "$work/given"
expect 0 create -b 512 -s 0 "$work/given"
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
truncate -s 20M "$work/given2"
expect 3 create -b 512 "$work/given2"
said 'File exists; with -s 0 '
expect 3 create -b 512 -s 20M "$work/set"
said 'File exists; it is a pool set file: with -s 0 the pool is made in its parts$'
expect 0 create -b 512 -s 0 -w "$work/set"
expect 0 info "$work/set"
printed '^kind: pool set$'
printed "^  path: $work/part1\$"
expect 0 check "$work/set"
case_ok "existing files and pool sets"

(
	flock -x 9
	for c in info check; do expect 3 $c "$p"; said 'in use|locked|open'; done
) 9<"$p" || exit 1
case_ok "a pool in use is refused"

if [ -w /dev/full ]; then
	tool info "$p" >/dev/full 2>"$work/err" && fail "a full device is no success"
	said 'cannot write'
	case_ok "output that is lost is an error"
fi
