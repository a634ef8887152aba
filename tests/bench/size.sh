#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Time and memory of pools of many sizes, on these libraries and on the original's (OURS, ORIGINAL).
# The pools are sparse files in DIR. Prints a CSV.
#
#	size.sh PROGRAM DIR
#
# GIB are the sizes, BSIZE is the size of a block; LIMIT is the longest time in seconds for a step. A
# step that takes longer or fails has no figures. The steps: check of a pool that nobody has written
# to; first, an open and the first write; open; check-written, the check after this write.
set -eu
program=$1 file=$2/pool
: "${GIB:=1 4 16 64 256 1024}" "${BSIZE:=4096}" "${LIMIT:=30}" "${TIMES:=3}"

# step PARTY OPERATION [GIB]: a line of figures, or "", on the library of the party
step()
{
	local libs=$OURS
	[ "$1" = ours ] || libs=$ORIGINAL
	LD_LIBRARY_PATH=$libs timeout "$LIMIT" "$program" "$2" "$file" "$BSIZE" ${3:+"$3"} 2>>"$file.err" || true
}

median()
{
	sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'
}

# row GIB OPERATION PARTY <LINES
row()
{
	local lines column out=
	lines=$(cat)
	for column in 1 2 3; do
		out=$out,$([ -z "$lines" ] || cut -d, -f $column <<<"$lines" | median)
	done
	echo "$1,$2,$3$out"
}

trap 'rm -f "$file" "$file".*' EXIT
echo "gib,operation,library,ms,resident_kib,private_kib"
for gib in $GIB; do
	for ((i = 0; i < TIMES; i++)); do
		for party in ours original; do
			rm -f "$file"
			step $party make "$gib"
			for op in check first open check-written; do
				step $party ${op%-written} >>"$file.$party.$op"
			done
		done
	done
	for party in ours original; do
		for op in check first open check-written; do
			row "$gib" $op $party <"$file.$party.$op"
		done
	done
	[ ! -s "$file.err" ] || sort -u "$file.err" >&2
	rm -f "$file" "$file".*
done
