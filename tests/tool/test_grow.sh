#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): grow, what it refuses, and how large a pool may become.
. "$(dirname "$0")/lib.sh"
p=$work/pool

# Fails unless the file has its old bytes.
same()
{
	cmp -s "$p" "$work/before" || fail "the pool was changed"
	[ ! -e "$p.undo" ] || fail "a backup was left"
}

# refused STATUS PATTERN ARGS...
refused()
{
	local status=$1 pattern=$2
	shift 2
	expect "$status" grow "$@"
	said "$pattern"
	same
}

expect 0 create -b 512 -s 20000000 "$p"
head -c 3000000 /dev/urandom >"$work/raw"
expect 0 import "$work/raw" "$p"
cp "$p" "$work/before"
refused 2 'the size \(-s\) is missing' "$p"
refused 2 'wanted is a size' -s 1.5 "$p"
refused 2 'undo goes with no other option' -u x -n "$p"
refused 3 'is 20000000 bytes long, and a pool does not shrink: 17825792 is less$' -s 17M "$p"
refused 3 'has 38425 blocks already, and no more fit 20000000 bytes$' -s 20MB "$p"
refused 3 'has 38425 blocks already' -s 20000003 "$p"
refused 3 'has 38425 blocks already' -n -s 20000003 "$p"
refused 3 'No such file' -s 1G "$work/absent"
for size in 1P 9223372036854775807; do
	refused 3 'could not be opened with [0-9]+ bytes: cannot reserve' -n -s $size "$p"
	refused 3 'could not be opened with [0-9]+ bytes: cannot reserve' -s $size "$p"
done
(
	flock 9
	refused 3 'in use|another process' -s 1G "$p"
) 9<"$p"
expect 0 grow -n -s 1.5G "$p"
printed ': would have 1610612736 bytes, 3121015 blocks instead of 38425; nothing was changed$'
same
refused 3 'cannot make the backup' -s 1G -b "$work/none/x" "$p"
(
	ulimit -f 40000
	refused 3 'cannot set the length of .*: File too large$' -s 64M "$p"
)
case_ok "what cannot grow is refused with a reason, and left as it is"

expect 0 grow -s 64M "$p"
printed ": what changes is kept in $p.undo$"
printed ': 67108864 bytes, 129728 blocks instead of 38425$'
expect 0 check "$p"
tool export -f "$p" "$work/copy"
cmp -n 3000000 "$work/copy" "$work/raw" || fail "old blocks"
tail -c +3000321 "$work/copy" | tr -d '\0' | head -c 1 | grep -q . && fail "new blocks hold something"
[ "$(stat -c %s "$work/copy")" = $((129728 * 512)) ] || fail "the number of blocks"
expect 3 repair -u "$work/raw" "$p"
# repair and grow take back each other's work, and say whose it was
expect 0 repair -u "$p.undo" "$p"
printed ': as it was before it grew, 20000000 bytes$'
rm "$p.undo"
# the open has changed the shutdown state
cp "$work/before" "$work/want"
dd if="$p" of="$work/want" bs=1 skip=4024 seek=4024 count=64 conv=notrunc status=none
cmp "$p" "$work/want" || fail "an undo leaves something else"
case_ok "a grow, and back"

# The old copy of the info block does not stay in the new data blocks, where it would be found one day. Its
# metadata are older than the writes that follow.
# A pool that an earlier version has made larger still has it. A write to a new block shows that it is old.
old_copy=$((20000000 / 4096 - 1))
for size in 64M 20150000 earlier; do # the second one over the old metadata
	cp "$work/before" "$p"
	expect 0 grow -s ${size/earlier/64M} "$p"
	rm "$p.undo"
	[ $size != earlier ] ||
		dd if="$work/before" of="$p" bs=4096 skip=$old_copy seek=$old_copy count=1 conv=notrunc status=none
	head -c 40960 /dev/urandom >"$work/newer"
	expect 0 import "$work/newer" "$p"
	printf new | tool import -f 38500 - "$p" >"$work/out"
	tool export -f "$p" "$work/want"
	dd if=/dev/zero of="$p" bs=4096 seek=2 count=1 conv=notrunc status=none
	dd if=/dev/zero of="$p" bs=4096 seek=$(($(stat -c %s "$p") / 4096 - 1)) count=1 conv=notrunc status=none
	expect 1 check "$p"
	said 'both info blocks'
	expect 0 repair -b "$work/computed" "$p"
	rm "$work/computed"
	tool export -f "$p" "$work/copy"
	cmp "$work/copy" "$work/want" || fail "blocks of a grown pool that has lost its info blocks"
done
case_ok "a grown pool is not restored from its old copy"

for change in "import -f 129727 - $p" "import -f 3 - $p"; do
	cp "$work/before" "$p"
	expect 0 grow -s 64M "$p"
	# shellcheck disable=SC2086
	printf new | tool $change >/dev/null
	cp "$p" "$work/used"
	expect 3 grow -u "$p.undo" "$p"
	said 'the pool was used after it grew; nothing is put back$|changed after the repair'
	cmp "$p" "$work/used" || fail "a refused undo changed the pool"
	rm "$p.undo"
done
# An arena of 512 GiB stays as it is, and gets a successor. The write is in the old one.
big=$work/big
truncate -s $(((1 << 39) + 8192)) "$big"
PMEMBLK_CONF=fallocate.at_create=0 expect 0 create -b 16384 -s 0 "$big"
printf old | tool import - "$big" >/dev/null
expect 0 grow -s $(((1 << 39) + (1 << 25))) "$big"
printf new | tool import - "$big" >/dev/null
expect 3 grow -u "$big.undo" "$big"
said 'the pool was used after it grew; nothing is put back$'
[ "$(tool dump -r 0 "$big" | grep -c new)" = 1 ] || fail "a refused undo changed the pool"
rm "$big" "$big.undo"
# Another library has used the pool before the header without its lock was durable, which this one
# makes sure of when it opens a pool. Then the power failed.
cp "$work/before" "$p"
expect 0 grow -s 64M "$p"
printf new | tool import -f 3 - "$p" >/dev/null
sed -n 's/^\(16\|4088\) [0-9a-f]* 1:\([0-9a-f]*\) .*/\1 \2/p' "$p.undo" | while read -r off hex; do
	# shellcheck disable=SC2059
	printf "$(printf '%s' "$hex" | sed 's/../\\x&/g')" |
		dd of="$p" bs=1 seek="$off" conv=notrunc status=none
done
expect 3 info "$p"
said 'was interrupted when it grew'
expect 1 check "$p"
printed 'header: the pool is locked, because it was interrupted when it grew'
cp "$p" "$work/used"
expect 3 grow -u "$p.undo" "$p"
said 'the pool was used after it grew; pmemblk repair can unlock it; nothing is put back$'
cmp "$p" "$work/used" || fail "a refused undo changed the locked pool"
expect 0 repair -b "$work/locked" "$p"
expect 0 check "$p"
[ "$(tool export -f "$p" - | tail -c +1537 | head -c 3)" = new ] || fail "a repair lost a write"
expect 0 repair -u "$work/locked" "$p"
cmp "$p" "$work/used" || fail "an undo of the repair that had unlocked the pool"
rm "$p.undo" "$work/locked"
cp "$work/before" "$p"
expect 0 grow -s 64M "$p"
sed 's/^area \([0-9]*\) 0*/area \1 1/' "$p.undo" >"$work/bad"
expect 3 grow -u "$work/bad" "$p"
said 'the backup is damaged'
head -n -1 "$p.undo" >"$work/bad"
expect 3 grow -u "$work/bad" "$p"
expect 0 create -b 512 -s 64M "$work/other"
expect 3 grow -u "$p.undo" "$work/other"
said "another pool's"
expect 0 grow -u "$p.undo" "$p"
cmp "$p" "$work/before" || fail "an undo"
rm "$p.undo"
case_ok "a pool that was used since is not taken back"

# A damaged pool does not grow.
for off in 8300 5000000 $((8192 + 19979264 - 16384)); do
	cp "$work/before" "$p"
	[ $off != 5000000 ] || off=$((8192 + $(od -An -tu8 -N8 -j8288 "$p") + 40))
	printf '\377\377\377\377' | dd of="$p" bs=1 seek=$off conv=notrunc status=none
	cmp -s "$p" "$work/before" && continue
	cp "$p" "$work/damaged"
	tool check "$p" >/dev/null 2>&1 && continue
	expect 1 grow -s 64M "$p"
	said 'only a consistent pool grows; see pmemblk check, and pmemblk repair$'
	cmp "$p" "$work/damaged" || fail "a damaged pool was changed"
	found=yes
done
[ "${found:-}" ] || fail "nothing was damaged"
# The whole message, however long the path is.
long=$work
for name in a b c d; do long=$long/$(printf "%0200d" 0 | tr 0 $name); done
mkdir -p "$long"
cp "$work/damaged" "$long/pool"
expect 1 grow -s 64M "$long/pool"
sed -n 1p "$work/err" >"$work/refused"
expect 1 check "$long/pool"
sed -n 1p "$work/err" | cmp - "$work/refused" || fail "check and grow differ about the damage"
cp "$work/before" "$p"
case_ok "a damaged pool is refused"

printf 'PMEMPOOLSET\n17M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
expect 0 create -b 512 -s 0 "$work/set"
expect 3 grow -s 64M "$work/set"
said 'is a pool set, which cannot grow; make a larger one, and copy the blocks into it with pmemblk export and pmemblk import$'
expect 3 grow -s 64M "$work/part0"
rm "$work"/part? "$work/set"
case_ok "a pool set is refused, with what to do instead"

rm "$p"
expect 0 create -b 4096 -s 17000123 "$p"
expect 0 grow -s 33000077 "$p"
printed ': 33000077 bytes, [0-9]+ blocks instead of [0-9]+; nothing was ever written to it$'
[ "$(stat -c %s "$p")" = 33000077 ] || fail "the length"
[ ! -e "$p.undo" ] || fail "a backup of nothing"
expect 0 check "$p"
expect 0 import "$work/raw" "$p"
expect 0 check "$p"
tool export -f "$p" "$work/copy"
cmp -n 3000000 "$work/copy" "$work/raw" || fail "blocks"
case_ok "a pool without a layout only gets longer"

# A layout that was interrupted before it stored the copy is not damage, before a grow and after it.
rm "$p"*
expect 0 create -w -b 512 -s 17M "$p"
map=$((2 + $(od -An -tu8 -N8 -j8288 "$p") / 4096))
for page in $map $((17825792 / 4096 - 1)); do
	dd if=/dev/zero of="$p" bs=4096 seek=$page count=1 conv=notrunc status=none
done
expect 0 check "$p"
expect 0 grow -s 40M "$p"
expect 0 check "$p"
expect 0 import "$work/raw" "$p"
case_ok "a layout without a copy"

# The same with two arenas, of which the first one stays as it is.
truncate -s $(((1 << 39) + 8192 + (1 << 25))) "$big"
PMEMBLK_CONF=fallocate.at_create=0 expect 0 create -w -b 16384 -s 0 "$big"
# field NAME ARENA, of what info --json has printed; page N prints a page
field()
{
	sed -nE "s/^ *\"$1\": ([0-9]+),?\$/\1/p" "$work/out" | sed -n "$(($2 + 1))p"
}
page()
{
	dd if="$big" bs=4096 skip="$1" count=1 status=none
}
expect 0 info --json "$big"
pages=(0)
for arena in 0 1; do
	off=$(field offset $arena)
	copy=$((off + $(field info_copy_offset $arena)))
	for at in $((off + $(field map_offset $arena))) $copy; do
		dd if=/dev/zero of="$big" bs=4096 seek=$((at / 4096)) count=1 conv=notrunc status=none
		pages+=($((at / 4096)))
	done
	pages+=($((off / 4096)))
	[ $arena = 1 ] || copied="$((off / 4096)) $((copy / 4096))"
done
expect 0 check "$big"
for n in "${pages[@]}"; do page "$n"; done >"$work/pages"
expect 0 grow -s $(((1 << 39) + (1 << 26))) "$big"
expect 0 check "$big"
page "${copied% *}" | cmp - <(page "${copied#* }") || fail "the copy of the arena that stays"
expect 0 grow -u "$big.undo" "$big"
for n in "${pages[@]}"; do page "$n"; done | cmp - "$work/pages" || fail "an undo"
[ "$(stat -c %s "$big")" = $(((1 << 39) + 8192 + (1 << 25))) ] || fail "the length"
case_ok "a layout without copies in an arena that stays as it is"

# Without the info block of the second arena, there is no layout yet. The first arena does not count.
dd if=/dev/zero of="$big" bs=4096 seek=$((off / 4096)) count=1 conv=notrunc status=none
expect 0 check "$big"
expect 0 info "$big"
printed 'layout: +none yet'
! grep -qi '^ *arena' "$work/out" || fail "an arena of no layout"
expect 0 grow -s $(((1 << 39) + (1 << 26))) "$big"
printed ', [0-9]+ blocks instead of [0-9]+; nothing was ever written to it$'
expect 0 check "$big"
rm "$big" "$big.undo"
case_ok "a layout that was interrupted between the info blocks of two arenas"

# If a grown pool has lost both info blocks, repair computes them from the sizes, as for any pool.
dd if=/dev/zero of="$p" bs=4096 seek=2 count=1 conv=notrunc status=none
dd if=/dev/zero of="$p" bs=4096 seek=$((40 * 256 - 1)) count=1 conv=notrunc status=none
expect 1 check "$p"
expect 0 repair "$p"
expect 0 check "$p"
tool export -f "$p" "$work/copy"
cmp -n 3000000 "$work/copy" "$work/raw" || fail "blocks"
case_ok "a grown pool is repaired like any other"

# --- sizes ------------------------------------------------------------------------------------

# Prints how many bytes the file takes on the medium.
used()
{
	echo $((512 * $(stat -c %b "$p")))
}

while read -r bsize from sizes; do
	rm -f "$p"*
	expect 0 create -b "$bsize" -s "$from" "$p"
	expect 0 import "$work/raw" "$p"
	n=$(sed -nE 's/.*blocks 0 to ([0-9]+).*/\1/p' "$work/out")
	before=$(used)
	for size in $sizes; do
		expect 0 grow -s "$size" "$p"
		rm "$p.undo"
		expect 0 check "$p"
		expect 0 info --json "$p"
		nblock=$(sed -nE 's/^ *"blocks": ([0-9]+),?$/\1/p' "$work/out")
			[ -n "$nblock" ] || fail "info does not tell the number of blocks"
		rm -f "$work/fresh"
		: >"$work/fresh"
		truncate -s "$(stat -c %s "$p")" "$work/fresh"
		PMEMBLK_CONF=fallocate.at_create=0 tool create -b "$bsize" -s 0 "$work/fresh" >"$work/out" 2>&1 ||
			fail "a new pool of $size"
		grep -q ": $nblock blocks" "$work/out" || fail "$nblock blocks are not what a new pool of $size has"
		# the last one and the first one of all: an end of the new map, and another slot
		printf "last %s" "$size" | tool import -f $((nblock - 1)) - "$p" >/dev/null || fail "the last block"
		tool dump -r $((nblock - 1)) "$p" | grep -q 'last' || fail "the last block"
		tool dump -r $((nblock - 3))-$((nblock - 2)) "$p" | grep -q 'zero' || fail "a new block"
		expect 0 check "$p"
		tool export "$p" - 2>/dev/null | head -c 3000000 | cmp - "$work/raw" || fail "old blocks, $bsize to $size"
	done
	[ $(($(used) - before)) -lt 4000000 ] || fail "blocks of $bsize: $before bytes became $(used) on the medium"
	case_ok "blocks of $bsize bytes from $from: $sizes"
done <<'END'
512 16785408 16789504 16900000 17M 64M 1000000001 512G 1T
520 20000001 20004097 33M 600G
4096 17M 17829889 100000000 549755813888 549755822080 549772599296 549776793600
4096 17M 549756870656 549776793600
65536 48M 50M 1T 1.25T
END
