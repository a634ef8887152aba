#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): no byte of a file's name reaches the terminal as a control character, whatever the
# command does with the file.
. "$(dirname "$0")/lib.sh"
bad=$'\x1b[2J\x07\nx\x9b'
shown='\\x1b\[2J\\x07\\x0ax\\x9b'
p=$work/pool$bad

# Runs the tool as expect does. Its output must name the file and have no control character.
names()
{
	expect "$@"
	cat "$work/out" "$work/err" >"$work/both"
	grep -qE -- "$shown" "$work/both" || fail "the output does not name the file"
	LC_ALL=C grep -aq -- $'[\x01-\x08\x0b-\x1f\x7f-\xff]' "$work/both" && fail "a control character was printed"
	return 0
}

names 3 info "$p"
names 0 create -b 512 "$p"
names 3 create -b 512 "$p"
names 0 check "$p"
names 0 info "$p"
names 0 repair "$p"
names 3 grow -s 16M "$p"
names 0 grow -n -s 33M "$p"
names 2 check "$p" "$p"
names 2 dump -r "$bad" "$p"
names 2 "$bad"
names 2 info "--$bad"
names 3 import "$work/absent$bad" "$p"
names 3 dump -r 99999999 "$p"
names 3 import -f 99999999 /dev/null "$p"
head -c 17M /dev/zero >"$work/long$bad"
names 3 import "$work/long$bad" "$p"
expect 0 export "$p" "$work/copy$bad"
names 3 export "$p" "$work/copy$bad"
names 3 export "$p" "$work/none$bad/x"
names 3 bench -b 512 -s 17M "$p"
line=${bad/$'\n'/}
printf 'PMEMPOOLSET\n9M %s\n9M %s\n' "$work/part0$line" "$work/part1" >"$work/set$bad"
shown='part0\\x1b\[2J\\x07x\\x9b'
names 3 info "$work/set$bad"
shown='\\x1b\[2J\\x07\\x0ax\\x9b'
case_ok "names are escaped by every command"

printf x | tool import - "$p" >/dev/null
map=$((8192 + $(od -An -tu8 -N8 -j8288 "$p")))
printf '\377\377\377\377' | dd of="$p" bs=1 seek=$((map + 40)) conv=notrunc status=none
names 1 check "$p"
names 1 repair -n "$p"
names 0 repair "$p"
[ -e "$p.undo" ] || fail "no backup"
names 0 repair --undo="$p.undo" "$p"
printed ': 1 range is as it was before the repair$'
case_ok "names are escaped by a repair"

u=$work/$'\xc3\xa4 \xe2\x82\xac \\ "'
expect 0 create -b 512 "$u"
grep -qF -- "$u: " "$work/out" || fail "UTF-8 does not stay"
expect 0 check "$u"
grep -qF -- "$u: consistent" "$work/out" || fail "UTF-8 does not stay"
case_ok "UTF-8 stays readable"
