#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): the picture of a pool that info --map draws.
disk=${TMPDIR:-/tmp}
. "$(dirname "$0")/lib.sh"
disk=$(mktemp -d "$disk/pmemtool.XXXXXX")
trap 'rm -rf "$work" "$disk"' EXIT

# well_formed FILE: every element is closed, and every byte is allowed in XML.
well_formed()
{
	! grep -qP '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]' "$1" || fail "$1 holds control characters"
	iconv -f UTF-8 -t UTF-8 "$1" >/dev/null || fail "$1 is no UTF-8"
	awk '
		/^<\?xml/ || /^<rect .*\/>$/ { next }
		/^<svg .*>$/ { open++; next }
		/^<text [^<>]*>[^<>]*<\/text>$/ { next }
		/^<\/svg>$/ { open--; next }
		{ print FILENAME ":" FNR ": " $0; bad = 1 }
		END { exit bad || open != 0 }' "$1" || fail "$1 is not well-formed"
}

# tidy FILE: everything is within the picture, and no text stands on another one or on the squares.
tidy()
{
	# A text becomes "text x y size colour number of characters".
	sed -nE 's/^<(svg|rect|text) /\1 /; T; s/>([^<]*)<\/text>/ \1/; s/ [a-z-]+="#?([^"]*)"/ \1/g; s/\/?>$//; p' "$1" | awk '
		function complain(what) { print FILENAME ":" NR ": " what ": " $0; bad = 1 }
		$1 == "svg" { width = $3; height = $4 }
		$1 == "rect" && NF == 4 { if ($2 != width || $3 != height) complain("the background") }
		$1 == "rect" && NF == 6 {
			x = $2; y = $3; right = $2 + $4; bottom = $3 + $5
			if ($5 == 7) { n++; rx[n] = x; rr[n] = right; ry[n] = y }
		}
		$1 == "text" {
			n_chars = length($0) - length($1 $2 $3 $4 $5) - 5
			x = $2; y = $3 - $4; right = $2 + n_chars * $4 * 0.4; bottom = $3
			for (i = 1; i <= m; i++)
				if (tx[i] < right && tr[i] > x && tb[i] > y + 1.5 && bottom > ty[i] + 1.5) complain("over another text")
			m++; tx[m] = x; tr[m] = right; ty[m] = y; tb[m] = bottom
		}
		$1 == "text" || ($1 == "rect" && NF == 6) {
			if (x < 0 || y < 0 || right > width || bottom > height) complain("outside")
			if (bottom > last) last = bottom
		}
		END {
			for (i = 1; i <= m; i++)
				for (j = 1; j <= n; j++)
					if (tx[i] < rr[j] && tr[i] > rx[j] && ty[i] + 2 < ry[j] + 7 && tb[i] > ry[j]) {
						print "text at " tb[i] " over squares at " ry[j]; bad = 1
					}
			if (height - last > 40) { print "empty below " last " of " height; bad = 1 }
			exit bad || m == 0
		}' || fail "$1 is not tidy"
}

# squares FILE COLOUR: how many of the squares of blocks have it
squares()
{
	sed -nE "s/^<rect x=\"[0-9]+\" y=\"[0-9]+\" width=\"([0-9]+)\" height=\"7\" fill=\"$2\"\/>\$/\1/p" "$1" |
		awk '{ n += ($1 + 1) / 8 } END { print n + 0 }'
}

p=$work/pool
expect 0 create -b 4096 -s 32M "$p"
expect 0 info --map="$work/empty.svg" "$p"
tidy "$work/empty.svg"
well_formed "$work/empty.svg"
grep -q 'No block was written yet' "$work/empty.svg" || fail "a pool without arenas"

head -c 400000 /dev/urandom >"$work/raw"
expect 0 import -f 100 "$work/raw" "$p"
map=$((8192 + $(od -An -tu8 -j8288 -N8 "$p" | tr -d ' ')))
printf '\5\0\0\100\6\0\0\200\7\0\0\200' | dd of="$p" bs=1 seek=$((map + 20)) conv=notrunc status=none
sum=$(cksum <"$p")
expect 0 info -m "$work/map.svg" "$p"
well_formed "$work/map.svg"
tidy "$work/map.svg"
[ "$(cksum <"$p")" = "$sum" ] || fail "the pool has changed"
expect 0 info -j -s "$p"
for state in 'never written:never_written' zero:zero data:data 'marked as bad:error'; do
	n=$(grep -oE "\"${state#*:}\": [0-9]+" "$work/out" | grep -oE '[0-9]+$' | head -n 1)
	grep -q ">${state%:*}: $n</text>" "$work/map.svg" || fail "the picture has other than $n blocks of ${state%:*}"
done
# 7935 blocks, 2 in each square: block 5 is the right half of the third one.
blocks=$(grep -oE '>[0-9]+ blocks of 4096 bytes, 2 in each square<' "$work/map.svg") || fail "the number of blocks"
bad=$(grep -nE 'x="40" y="[0-9]+" width="7" height="7" fill="#c0392b"' "$work/map.svg" | wc -l)
[ "$bad" = 1 ] || fail "the square of the bad block ($blocks)"
# 98 blocks of data from 100 on; 5 is bad, 6 and 7 are zero
[ "$(squares "$work/map.svg" '#2f6f9f') $(squares "$work/map.svg" '#c0392b') $(squares "$work/map.svg" '#[0-9a-f]*')" = "49 1 3960" ] ||
	fail "the number of squares"
case_ok "the squares and the legend show the states of the blocks"

expect 2 info --map="$work/map.svg" --nothing "$p"
cp "$work/map.svg" "$work/before"
expect 3 info --map="$work/map.svg" "$p"
cmp -s "$work/map.svg" "$work/before" || fail "an existing file was overwritten"
expect 0 info --force --map="$work/map.svg" "$p"
expect 3 info --force --map="$p" "$p"
said 'is the pool itself'
[ "$(cksum <"$p")" = "$sum" ] || fail "the picture went over the pool"
tool info --map=- "$p" | cmp - "$work/before" || fail "the standard output"
case_ok "an existing file stays, and the pool in any case"

printf damage | dd of="$p" bs=1 seek=8292 conv=notrunc status=none
expect 0 info -m "$work/damaged.svg" "$p"
well_formed "$work/damaged.svg"
tidy "$work/damaged.svg"
[ "$(grep -c '>damaged<' "$work/damaged.svg")" = 1 ] || fail "one area is damaged"
grep -q 'the info block is damaged' "$work/damaged.svg" || fail "what check says"
grep -q 'stroke="#c0392b"' "$work/damaged.svg" || fail "the frame"
! grep -q 'damaged' "$work/before" || fail "a sound pool is called damaged"
case_ok "damaged areas are marked, with the words of check"

long=$work
for name in a b c d e f; do long=$long/$(printf "%0200d" 0 | tr 0 $name); done
mkdir -p "$long"
cp "$p" "$long/pool"
expect 0 info -m "$work/long.svg" "$long/pool"
grep -q '/pool: .* the info block is damaged' "$work/long.svg" || fail "a long message is cut off"
rm "$long/pool"

printf damage | dd of="$p" bs=1 seek=200 conv=notrunc status=none
expect 0 info -f -m "$work/damaged.svg" "$p"
grep -q 'the pool header of .* is damaged' "$work/damaged.svg" || fail "the damaged header"
grep -q '>Arena 0<' "$work/damaged.svg" || fail "the arena of a pool whose header is damaged"
for byte in '\0' x; do
	head -c 20M /dev/zero | tr '\0' "$byte" >"$work/foreign"
	expect 3 info -m "$work/foreign.svg" "$work/foreign"
	said 'is not a pool|holds no pool'
	[ ! -e "$work/foreign.svg" ] || fail "a picture of what is no pool"
done
rm "$work/foreign"
case_ok "a damaged header does no harm, and what is no pool is not drawn"

name=$work/$'a<b>&"c\e[1m'
cp "$p" "$name"
expect 0 info -m "$work/name.svg" "$name"
well_formed "$work/name.svg"
grep -qF 'a&lt;b&gt;&amp;&quot;c\x1b[1m' "$work/name.svg" || fail "the name"
case_ok "names of files are escaped"

# Slot 5 tells of a write whose map entry was not stored yet; its page of the map is a hole, or not. (On
# tmpfs a hole ends when it is read.)
rm -f "$p" "$name"
expect 0 create -b 512 -s 17825792 "$p"
printf x | tool import -f 10 - "$p" >"$work/out"
slot=$((8192 + $(od -An -tu8 -j8296 -N8 "$p" | tr -d ' ') + 64 * 5))
free=$(($(od -An -tu4 -j$((slot + 4)) -N4 "$p") & 0x3fffffff))
for block in 25000 11; do
	cp --sparse=always "$p" "$disk/pool"
	for n in $block $((0xc0000000 + block)) $((0xc0000000 + free)); do
		printf '%08x' "$n" | sed 's/\(..\)\(..\)\(..\)\(..\)/\\x\4\\x\3\\x\2\\x\1/' | xargs -0 printf
	done | dd of="$disk/pool" bs=1 seek=$slot conv=notrunc status=none
	expect 0 info -f -m "$work/unfinished.svg" "$disk/pool"
	grep -q '>data: 2<' "$work/unfinished.svg" || fail "the unfinished write to block $block is not in the picture"
	expect 0 check "$disk/pool"
done
case_ok "unfinished writes are shown as finished, also where the map has holes"

rm -f "$p"
truncate -s 1T "$work/large"
PMEMBLK_CONF='fallocate.at_create=0;' expect 0 create -b 512 -s 0 "$work/large"
expect 0 import "$work/raw" "$work/large"
expect 0 info -m "$work/large.svg" "$work/large"
well_formed "$work/large.svg"
tidy "$work/large.svg"
[ "$(stat -c %s "$work/large.svg")" -lt 200000 ] || fail "the picture of a terabyte is too large"
grep -q '>Arena 1<' "$work/large.svg" || fail "the second arena"
grep -q '>data: 782<' "$work/large.svg" || fail "the blocks of a terabyte"
case_ok "the picture of a sparse terabyte is small"

# Where every line and square stands. After a change of the picture that is meant, look at the new one in
# a browser, and put it in place of the one in tests/tool/map.
drawn()
{
	(cd "$work" && expect 0 info -f -m "$1.svg" pool) || exit 1
	well_formed "$work/$1.svg"
	tidy "$work/$1.svg"
	diff "$SOURCE/tests/tool/map/$1.svg" "$work/$1.svg" || fail "the picture (right) is not that of tests/tool/map/$1.svg"
}
rm -f "$work/large" "$p"
expect 0 create -b 64K -s 49M "$p"
drawn empty
head -c 200000 /dev/urandom | tool import -f 113 - "$p" >"$work/out"
drawn one_block_a_square
rm "$p"
expect 0 create -b 512 -s 32M "$p"
head -c 153600 /dev/urandom | tool import - "$p" >"$work/out"
head -c 61440 /dev/zero | tool import -f 100 - "$p" >"$work/out"
# the last ones of a page of the map: what follows in their square was never written, and lies in a hole
head -c 2048 /dev/urandom | tool import -f 1020 - "$p" >"$work/out"
# squares with 10, 8, 7, 12 and 14 blocks of data of 15; with 9 zeros; with 5 of each kind; with 6 data and 6 zeros
while read -r first n source; do
	head -c $((n * 512)) "/dev/$source" | tool import -f "$first" - "$p" >"$work/out"
done <<-END
	1500 10 urandom
	1530 8 urandom
	1568 7 urandom
	1590 12 urandom
	1620 14 urandom
	1650 9 urandom
	1650 9 zero
	1680 10 urandom
	1685 5 zero
	1710 12 urandom
	1710 6 zero
END
map=$((8192 + $(od -An -tu8 -j8288 -N8 "$p" | tr -d ' ')))
printf '\100' | dd of="$p" bs=1 seek=$((map + 4 * 250 + 3)) conv=notrunc status=none
printf damage | dd of="$p" bs=1 seek=8292 conv=notrunc status=none
drawn damaged
case_ok "everything in the picture has its place"

# Where the arenas are is not known, or there are too many for one picture.
printf damage | dd of="$p" bs=1 seek=$((33554432 - 4000)) conv=notrunc status=none
(cd "$work" && expect 0 info -f -m lost.svg pool) || exit 1
tidy "$work/lost.svg"
grep -q '>Where the arenas are cannot be told\.<' "$work/lost.svg" || fail "a lost layout"
! grep -q '>Arena 0<' "$work/lost.svg" || fail "an arena of a lost layout"
rm "$p"
truncate -s 4T "$work/large"
PMEMBLK_CONF='fallocate.at_create=0;' expect 0 create -b 1M -s 0 -w "$work/large"
expect 0 info -m "$work/large2.svg" "$work/large"
well_formed "$work/large2.svg"
tidy "$work/large2.svg"
grep -q '>Arena 5<' "$work/large2.svg" || fail "the sixth arena"
! grep -q '>Arena 6<' "$work/large2.svg" || fail "the seventh arena"
grep -q '>and 2 more arenas<' "$work/large2.svg" || fail "the other arenas"
grep -qE '>The pool, 4\.0 TiB, to scale<' "$work/large2.svg" || fail "the size"
case_ok "pools without arenas, and with many"
