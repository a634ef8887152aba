#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): the picture that info --map draws, to the last digit. test_map.sh has the rules that every
# picture keeps; where the drawing changes, these two pictures are to be looked at and replaced.
. "$(dirname "$0")/lib.sh"

# drawn FILE: compares it with stdin
drawn()
{
	cat >"$work/expected"
	diff "$work/expected" "$1" || fail "${1##*/} is another picture"
}

legend()
{
	local y=$1 text
	text=$((y + 10)).5
	shift
	cat <<-END
		<rect x="24.00" y="$y.00" width="12.00" height="12.00" fill="#e4e7eb"/>
		<text x="42.0" y="$text" font-size="12.0" fill="#333333">never written: $1</text>
		<rect x="244.00" y="$y.00" width="12.00" height="12.00" fill="#9fc5e8"/>
		<text x="262.0" y="$text" font-size="12.0" fill="#333333">zero: $2</text>
		<rect x="464.00" y="$y.00" width="12.00" height="12.00" fill="#2f6f9f"/>
		<text x="482.0" y="$text" font-size="12.0" fill="#333333">data: $3</text>
		<rect x="684.00" y="$y.00" width="12.00" height="12.00" fill="#c0392b"/>
		<text x="702.0" y="$text" font-size="12.0" fill="#333333">marked as bad: $4</text>
		</svg>
	END
}

BUILD=$(realpath "$BUILD")
cd "$work" || exit 1 # the title is the path as it was given
expect 0 create -b 512 -s 17M p
expect 0 info --map=empty.svg p
drawn empty.svg <<END
<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="960" height="176" viewBox="0 0 960 176" font-family="sans-serif">
<rect width="960" height="176" fill="#ffffff"/>
<text x="24.0" y="40.0" font-size="20.0" fill="#111111">p</text>
<text x="24.0" y="67.0" font-size="12.0" fill="#333333">The pool, 17.0 MiB, to scale</text>
<rect x="24.00" y="74.00" width="912.00" height="26.00" fill="#f3f4f6"/>
<rect x="24.00" y="74.00" width="1.00" height="26.00" fill="#7d5ba6"/>
<text x="24.0" y="126.0" font-size="12.0" fill="#333333">No block was written yet: there are no arenas.</text>
$(legend 140 0 0 0 0)
END
case_ok "a pool without arenas"

# Blocks 3 to 12 and 1604 to 1613 have data, but 7 and 8 were overwritten with zeros; 2320 and 2321 are
# zero by their flag, 2322 is bad.
head -c 5120 /dev/zero | tr '\0' d >raw
head -c 1024 /dev/zero >zeros
expect 0 import -f 3 raw p
expect 0 import -f 1604 raw p
expect 0 import -f 7 zeros p
map=$((8192 + $(od -An -tu8 -j8288 -N8 p | tr -d ' ')))
printf '\20\11\0\200\21\11\0\200\22\11\0\100' | dd of=p bs=1 seek=$((map + 4 * 2320)) conv=notrunc status=none
printf damage | dd of=p bs=1 seek=8292 conv=notrunc status=none
expect 0 info --map=damaged.svg p
drawn damaged.svg <<END
<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="960" height="591" viewBox="0 0 960 591" font-family="sans-serif">
<rect width="960" height="591" fill="#ffffff"/>
<text x="24.0" y="40.0" font-size="20.0" fill="#111111">p</text>
<text x="24.0" y="66.0" font-size="12.0" fill="#c0392b">p: arena 0 at offset 0x2000: the info block is damaged; its copy is intact</text>
<text x="24.0" y="87.0" font-size="12.0" fill="#333333">The pool, 17.0 MiB, to scale</text>
<rect x="24.00" y="94.00" width="912.00" height="26.00" fill="#f3f4f6"/>
<rect x="24.63" y="94.00" width="903.04" height="26.00" fill="#2f6f9f"/>
<rect x="927.83" y="94.00" width="7.12" height="26.00" fill="#4f9d69"/>
<rect x="934.95" y="94.00" width="1.00" height="26.00" fill="#d1495b"/>
<rect x="24.42" y="94.00" width="1.00" height="26.00" fill="#e0a030"/>
<rect x="935.79" y="94.00" width="1.00" height="26.00" fill="#e0a030"/>
<rect x="24.00" y="94.00" width="1.00" height="26.00" fill="#7d5ba6"/>
<text x="24.0" y="146.0" font-size="14.0" fill="#111111">Arena 0</text>
<rect x="24.00" y="156.00" width="89.00" height="34.00" fill="#e0a030"/>
<rect x="23.00" y="155.00" width="91.00" height="36.00" fill="none" stroke="#c0392b" stroke-width="2"/>
<text x="29.0" y="171.0" font-size="12.0" fill="#ffffff">info</text>
<text x="29.0" y="185.0" font-size="10.0" fill="#ffffff">4.0 KiB</text>
<text x="24.0" y="202.0" font-size="9.5" fill="#555555">0x2000</text>
<text x="24.0" y="214.0" font-size="10.0" fill="#c0392b">damaged</text>
<rect x="116.00" y="156.00" width="437.00" height="34.00" fill="#2f6f9f"/>
<text x="121.0" y="171.0" font-size="12.0" fill="#ffffff">data</text>
<text x="121.0" y="185.0" font-size="10.0" fill="#ffffff">16.8 MiB</text>
<text x="116.0" y="202.0" font-size="9.5" fill="#555555">0x3000</text>
<rect x="556.00" y="156.00" width="167.00" height="34.00" fill="#4f9d69"/>
<text x="561.0" y="171.0" font-size="12.0" fill="#ffffff">map</text>
<text x="561.0" y="185.0" font-size="10.0" fill="#ffffff">136 KiB</text>
<text x="556.0" y="202.0" font-size="9.5" fill="#555555">0x10d9000</text>
<rect x="726.00" y="156.00" width="107.00" height="34.00" fill="#d1495b"/>
<text x="731.0" y="171.0" font-size="12.0" fill="#ffffff">flog</text>
<text x="731.0" y="185.0" font-size="10.0" fill="#ffffff">16.0 KiB</text>
<text x="726.0" y="202.0" font-size="9.5" fill="#555555">0x10fb000</text>
<rect x="836.00" y="156.00" width="97.00" height="34.00" fill="#e0a030"/>
<text x="841.0" y="171.0" font-size="12.0" fill="#ffffff">info's copy</text>
<text x="841.0" y="185.0" font-size="10.0" fill="#ffffff">4.0 KiB</text>
<text x="836.0" y="202.0" font-size="9.5" fill="#555555">0x10ff000</text>
<text x="24.0" y="234.0" font-size="12.0" fill="#333333">34218 blocks of 512 bytes, 8 in each square</text>
<rect x="24" y="241" width="15" height="7" fill="#2f6f9f" fill-opacity="0.625"/>
<rect x="40" y="241" width="895" height="7" fill="#e4e7eb"/>
<rect x="24" y="249" width="695" height="7" fill="#e4e7eb"/>
<rect x="720" y="249" width="7" height="7" fill="#2f6f9f" fill-opacity="0.750"/>
<rect x="728" y="249" width="207" height="7" fill="#e4e7eb"/>
<rect x="24" y="257" width="495" height="7" fill="#e4e7eb"/>
<rect x="520" y="257" width="7" height="7" fill="#c0392b"/>
<rect x="528" y="257" width="407" height="7" fill="#e4e7eb"/>
$(for y in $(seq 265 8 529); do
	echo "<rect x=\"24\" y=\"$y\" width=\"911\" height=\"7\" fill=\"#e4e7eb\"/>"
done)
<rect x="24" y="537" width="479" height="7" fill="#e4e7eb"/>
$(legend 555 34195 4 18 1)
END
case_ok "a damaged pool with blocks in each state"
