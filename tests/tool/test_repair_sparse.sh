#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Repairs of pools most of whose map is a hole of the file: holes are neither read nor forgotten.
disk=${TMPDIR:-/tmp}
. "$(dirname "$0")/lib.sh"
# The file systems differ: on disk a page that was read stays a hole, on tmpfs it does not.
other=$(mktemp -d "$disk/pmemtool.XXXXXX")
trap 'rm -rf "$work" "$other"' EXIT

put32()
{
	local v=$3 bytes
	printf -v bytes '\\x%02x' $((v & 255)) $((v >> 8 & 255)) $((v >> 16 & 255)) $((v >> 24 & 255))
	printf "$bytes" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

tool create -b 512 -s 64M "$work/base" >/dev/null
printf x | tool import -f 10 - "$work/base" >/dev/null
map=$((8192 + $(od -An -tu8 -N8 -j$((8192 + 96)) "$work/base")))
flog=$((8192 + $(od -An -tu8 -N8 -j$((8192 + 104)) "$work/base")))
free=$(od -An -tu4 -N4 -j$((flog + 64 * 200 + 4)) "$work/base") # of slot 200

# damaged NAME OFFSET VALUE...: the base with holes and these words, on each file system
damaged()
{
	local name=$1 d
	shift
	cp --sparse=always "$work/base" "$work/$name"
	while [ $# -gt 0 ]; do
		put32 "$work/$name" "$1" "$2"
		shift 2
	done
	cp --sparse=always "$work/$name" "$other/$name"
	cp "$work/$name" "$work/$name.was"
}

# Blocks 70000 and 90000 were never written; their entries lie in holes.
damaged contested $((map + 40)) $((0xc0000000 + 70000)) $((flog + 64 * 200 + 4)) $((0x80000000 + 90000)) \
	$((flog + 64 * 200 + 8)) $((0x80000000 + 90000))
damaged unfinished $((flog + 64 * 200 + 16)) 70000 $((flog + 64 * 200 + 20)) $((0xc0000000 + 70000)) \
	$((flog + 64 * 200 + 24)) $((0xc0000000 + (free & 0x3fffffff))) $((flog + 64 * 200 + 28)) 2 \
	$((map + 40)) $((0xffffffff))
for d in "$work" "$other"; do
	for name in contested unfinished; do
		p=$d/$name
		expect 1 check "$p"
		expect 1 repair -n "$p"
		expect 0 repair "$p"
		[ $name != contested ] || printed '^block 70000: '
		[ $name != contested ] || printed '^block 90000: '
		[ $name != unfinished ] || printed '^block 70000: an unfinished write is completed$'
		expect 0 check "$p"
		expect 0 repair -u "$p.undo" "$p"
		cmp "$p" "$work/$name.was" || fail "the undo of $p"
	done
done
case_ok "entries in holes are seen and changed"

cp --sparse=always "$work/base" "$work/few"
put32 "$work/few" $((map + 40)) $((0xffffffff))
before=$(stat -c %b "$work/few")
expect 1 check "$work/few"
expect 1 repair -n "$work/few"
expect 0 repair "$work/few"
after=$(stat -c %b "$work/few")
[ $((after - before)) -lt 256 ] || fail "the file has grown from $before to $after blocks of 512 bytes"
case_ok "no page of a hole is read"
