#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Repairs of a pool of three arenas, a sparse file: each arena is mended by its own map, flog and info
# blocks, and the messages have the pool's numbers of the blocks.
. "$(dirname "$0")/lib.sh"
p=$work/pool
length=$(((1 << 40) + 8192 + (1 << 30)))
truncate -s $length "$p" || skip "no sparse file of a terabyte can be had here"
PMEMBLK_CONF='fallocate.at_create=0;' tool create -w -b 1M -s 0 "$p" >"$work/out" 2>"$work/err" ||
	skip "no pool of a terabyte can be had here"
expect 0 info --json "$p"
field()
{
	sed -nE "s/^ *\"$1\": ([0-9]+),?\$/\1/p" "$work/out" | sed -n "$2p"
}
for i in 0 1 2; do
	arena[i]=$(field offset $((i + 1)))
	nlba[i]=$(field external_nlba $((i + 1)))
	map[i]=$((arena[i] + $(field map_offset $((i + 1)))))
	flog[i]=$((arena[i] + $(field flog_offset $((i + 1)))))
	copy[i]=$((arena[i] + $(field info_copy_offset $((i + 1)))))
done
[ "${copy[2]}" = $((length - 4096)) ] || fail "these are not three arenas"

# Prints all pages that a repair may change.
pages()
{
	local i at
	dd if="$p" bs=4096 count=2 status=none
	for i in 0 1 2; do
		for at in ${arena[i]} ${map[i]} $(seq ${flog[i]} 4096 ${copy[i]}); do
			dd if="$p" bs=4096 skip=$((at / 4096)) count=1 status=none
		done
	done
	stat -c %s "$p"
}
for first in 100 $((nlba[0] + 100)) $((nlba[0] + nlba[1] + 100)); do
	printf 'data %s' $first | tool import -f $first - "$p" >"$work/out"
done
pages >"$work/sound"

put32()
{
	local v=$2 bytes
	printf -v bytes '\\x%02x' $((v & 255)) $((v >> 8 & 255)) $((v >> 16 & 255)) $((v >> 24 & 255))
	# shellcheck disable=SC2059 # bytes
	printf "$bytes" | dd of="$p" bs=1 seek="$1" conv=notrunc status=none
}

# Wipes pages: OFFSET...
wipe()
{
	local at
	for at; do
		dd if=/dev/zero of="$p" bs=4096 seek=$((at / 4096)) count=1 conv=notrunc status=none
	done
}

# Repairs the pool, which has to print these lines, then takes that back. The repaired pages stay in $work/mended.
mends()
{
	local line
	pages >"$work/damaged"
	expect 1 check "$p"
	expect 1 repair -n "$p"
	expect 0 repair "$p"
	for line; do
		grep -qxF -- "$line" "$work/out" || fail "repair does not say '$line'"
	done
	[ "$(grep -c '^arena\|^block' "$work/out")" = $# ] || fail "repair says something else, too"
	expect 0 check "$p"
	pages >"$work/mended"
	expect 0 repair -u "$p.undo" "$p"
	pages | cmp - "$work/damaged" || fail "the undo"
	rm "$p.undo"
}

# Puts the sound pages back.
restore()
{
	local i at n=2
	dd if="$work/sound" of="$p" bs=4096 count=2 conv=notrunc status=none
	for i in 0 1 2; do
		for at in ${arena[i]} ${map[i]} $(seq ${flog[i]} 4096 ${copy[i]}); do
			dd if="$work/sound" of="$p" bs=4096 skip=$n seek=$((at / 4096)) count=1 conv=notrunc status=none
			n=$((n + 1))
		done
	done
	pages | cmp - "$work/sound" || fail "restoring"
}

both='both info blocks are damaged; they follow from the sizes of pool and blocks'
for lost in 0 1 2 '0 2' '1 2'; do
	lines=()
	for i in $lost; do
		wipe "${arena[i]}" "${copy[i]}"
		lines+=("arena $i: $both")
	done
	mends "${lines[@]}"
	cmp "$work/mended" "$work/sound" || fail "the info blocks of $lost"
	restore
done
wipe "${arena[@]}" "${copy[@]}"
mends "arena 0: $both" "arena 1: $both" "arena 2: $both"
# They have got another uuid, and the checksum covers it.
cmp -l "$work/mended" "$work/sound" | awk '{ at = ($1 - 1) % 4096; if (!(at >= 16 && at < 32) && at < 4088) bad = 1 } END { exit bad || NR == 0 }' ||
	fail "new info blocks differ by more than their uuid"
restore
case_ok "info blocks that are lost follow from the sizes, and have the uuid of the others"

wipe "${arena[1]}" "${copy[2]}"
mends 'arena 1: the info block is damaged; it is restored from its copy' \
	"arena 2: the info block's copy is damaged; it is restored from the info block"
cmp "$work/mended" "$work/sound" || fail "one info block of two"
restore
truncate -s $((length - 4096)) "$p"
mends "arena 2: the info block's copy was cut off; the file is extended by a page for it"
cmp "$work/mended" "$work/sound" || fail "the page that was cut off"
truncate -s $((length - 8192)) "$p"
expect 1 repair "$p"
printed ': cannot be repaired, nothing was changed$'
truncate -s $length "$p"
restore
case_ok "an info block comes from the other one"

for i in 0 1 2; do
	first=0
	for k in $(seq 0 $((i - 1))); do first=$((first + nlba[k])); done
	put32 $((map[i] + 4 * 7)) 0xffffffff
	mends "block $((first + 7)): its map entry 0xffffffff names a data block out of range; it goes into the error state"
	cp "$work/mended" "$work/one"
	expect 0 repair "$p"
	rm "$p.undo"
	expect 1 dump -r $((first + 6))-$((first + 8)) "$p"
	said "^pmemblk: block $((first + 7)): "
	[ "$(grep -c 'cannot be read' "$work/out")" = 1 ] || fail "another block is lost"
	# The map has also lost the write of block 100; then its data block has a second owner, block 9.
	restore
	entry=$((0x$(od -An -tx4 -N4 -j$((map[i] + 400)) "$p" | tr -d ' ')))
	put32 $((map[i] + 4 * 7)) 0xffffffff
	put32 $((map[i] + 400)) 0
	mends "block $((first + 7)): its map entry 0xffffffff names a data block out of range; it goes into the error state" \
		"block $((first + 100)): an unfinished write is completed"
	put32 $((map[i] + 400)) $entry
	put32 $((map[i] + 4 * 7)) 0
	put32 $((map[i] + 36)) $entry
	mends "block $((first + 9)): its map entry $(printf '%#x' $entry) names a data block that others name; it goes into the error state" \
		"block $((first + 100)): its data block $((entry & 0x3fffffff)) is also named by other blocks; it may hold older data, or another block's"
	restore

	# Slot 3: a number that no block of the pool has; one that no block of the arena has is good, unless it was
	# written to.
	total=$((nlba[0] + nlba[1] + nlba[2]))
	put32 $((flog[i] + 3 * 64)) $total
	mends "arena $i: flog slot 3 has a block number out of range; it gets another free block"
	put32 $((flog[i] + 3 * 64)) $((total - 1))
	expect 0 check "$p"
	put32 $((flog[i] + 3 * 64 + 8)) 0xc0000005
	if [ $((total - 1)) -ge "${nlba[i]}" ]; then
		mends "arena $i: flog slot 3 has a block number out of range; it gets another free block"
	fi
	restore
done
case_ok "map and flog of each arena are mended by themselves"
