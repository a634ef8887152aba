#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): repair and its backups; the matrix of damages is in tests/compat.
. "$(dirname "$0")/lib.sh"
p=$work/pool
expect 0 create -b 512 "$p"
head -c 20M /dev/zero >"$work/zeros"
expect 0 create -b 512 -w "$work/bad"
map=$((8192 + $(od -An -tu8 -N8 -j8288 "$work/bad")))
printf '\3\0\0\100' | dd of="$work/bad" bs=1 seek=$((map + 12)) conv=notrunc status=none
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0" "$work/part1" >"$work/set"
expect 0 create -b 512 -s 0 -w "$work/set"

expect 2 repair --undo=x --dry-run "$p"
expect 0 repair "$p"
printed 'consistent, nothing was changed'
[ ! -e "$p.undo" ] || fail "a backup of nothing"
expect 3 repair "$work/zeros"
expect 3 repair "$work/absent"
cp "$work/bad" "$work/broken"
printf '\377\377\377\377' | dd of="$work/broken" bs=1 seek=$((map + 40)) conv=notrunc status=none
cp "$work/broken" "$work/broken.0"
expect 1 check "$work/broken"
printed '^block 10: its map entry 0xffffffff .* error state$'
printed 'pmemblk repair can mend it$'
expect 1 repair -n "$work/broken"
expect 3 repair --backup="$work/none/x" "$work/broken"
: >"$work/taken"
expect 3 repair --backup="$work/taken" "$work/broken"
cmp "$work/broken" "$work/broken.0" || fail "changed without a backup"
expect 0 repair -v "$work/broken"
expect 0 check "$work/broken"
cp "$work/broken" "$work/mended"
sed '$d' "$work/broken.undo" >"$work/cut"
sed 's/^pool ../pool zz/' "$work/broken.undo" >"$work/foreign1"
sed 's/^pool .*/pool 00112233445566778899aabbccddeeff/' "$work/broken.undo" >"$work/foreign2"
sed '/^[0-9]/s/^[0-9]*/99999999999/' "$work/broken.undo" >"$work/beyond"
sed '/^[0-9]/s/ [0-9a-f:]*$//' "$work/broken.undo" >"$work/short"
for f in cut foreign1 foreign2 beyond short taken broken.0; do
	expect 3 repair --undo="$work/$f" "$work/broken"
	cmp "$work/broken" "$work/mended" || fail "a wrong backup changed the pool"
done
expect 0 repair --undo="$work/broken.undo" "$work/broken"
cmp "$work/broken" "$work/broken.0" || fail "undo"
expect 0 grow --undo="$work/broken.undo" "$work/broken"
printed ' as (it was|they were) before the repair$'
expect 0 repair "$work/broken"
[ -e "$work/broken.undo.1" ] || fail "the second backup"
printf x | tool import -f 10 - "$work/broken" >/dev/null
expect 3 repair --undo="$work/broken.undo" "$work/broken"
said 'changed after the repair'
case_ok "repair keeps a backup that takes it back"

# A set whose damage lies in its second part.
map=$((8192 + $(od -An -tu8 -N8 -j8288 "$work/part0") + 4096 - 9 * 1024 * 1024))
[ $map -gt 4096 ] || fail "the map is not in the second part"
printf '\377\377\377\377' | dd of="$work/part1" bs=1 seek=$map conv=notrunc status=none
expect 1 check "$work/set"
expect 0 repair "$work/set"
expect 0 check "$work/set"
case_ok "sets are repaired, too"

