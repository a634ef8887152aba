#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1) with standard streams that are closed: the files that it opens do not take their places,
# so no message gets into a pool, a backup or a picture. test_export.sh has copies.
. "$(dirname "$0")/lib.sh"
p=$work/pool

expect 0 create -b 512 -w -s 20M "$work/sound"
head -c 100000 /dev/urandom >"$work/raw"
expect 0 import "$work/raw" "$work/sound"
cp "$work/sound" "$work/damaged"
map=$((8192 + $(od -An -tu8 -N8 -j8288 "$work/sound")))
printf '\377\377\377\377' | dd of="$work/damaged" bs=1 seek=$((map + 4000)) conv=notrunc status=none

# run STATUS FROM ARGS...: runs the tool on a copy of the pool FROM, with the streams closed that $closed
# says. If what is printed cannot be written, the status is that of an error.
run()
{
	local want=$1 from=$2 rc=0
	shift 2
	cp "$work/$from" "$p"
	eval "tool \"\$@\" >'$work/out' 2>'$work/err' </dev/null $closed" || rc=$?
	[ $rc = "$want" ] || { [ $rc = 3 ] && [[ " $closed" = *' >&-'* ]]; } ||
		fail "pmemblk $* $closed: exit status $rc instead of $want"
}

# same FILE WANTED
same()
{
	cmp "$work/$1" "$work/$2" || fail "$closed: $1 is not $2"
}

# What comes of it with open streams.
closed=
run 0 sound info --map="$work/map.svg" "$p"
run 0 damaged repair -b "$work/repair.undo" "$p"
cp "$p" "$work/repaired"
run 0 sound grow -s 40M -b "$work/grow.undo" "$p"
cp "$p" "$work/grown"

for closed in '>&-' '2>&-' '>&- 2>&-' '<&-' '<&- >&-' '<&- 2>&-' '<&- >&- 2>&-'; do
	run 3 sound grow -s 1M "$p"
	same pool sound
	run 0 sound grow -n -s 40M "$p"
	same pool sound
	run 3 sound repair -u "$work/raw" "$p"
	same pool sound
	run 0 sound repair "$p"
	same pool sound
	run 1 damaged check "$p"
	same pool damaged
	run 0 sound info --map="$work/new.svg" "$p"
	same pool sound
	same new.svg map.svg
	rm "$work/new.svg"
	run 0 damaged repair -b "$work/new.undo" "$p"
	same pool repaired
	same new.undo repair.undo
	rm "$work/new.undo"
	run 0 repaired repair -u "$work/repair.undo" "$p"
	same pool damaged
	run 0 sound grow -s 40M -b "$work/new.undo" "$p"
	same pool grown
	same new.undo grow.undo
	rm "$work/new.undo"
	run 0 grown grow -u "$work/grow.undo" "$p"
	same pool sound
done
case_ok "no message gets into a pool, a backup or a picture"
