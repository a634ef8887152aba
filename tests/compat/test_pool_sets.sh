#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Pool sets go back and forth between this library and the original's: several parts, odd
# part sizes, one header, directories; blocks and metadata straddle the parts.
. "$(dirname "$0")/lib.sh"
need_command pmempool pmdk-tools
unset EXPECT_MODE
export PMEM_IS_PMEM_FORCE=1

consistent()
{
	local libs
	for libs in ours original; do
		[ "$(pool $libs check "$1" 0)" = 1 ] || fail "$libs: check of $1"
	done
	on original pmempool check -v "$1" >"$work/check.log" 2>&1 ||
		{ cat "$work/check.log"; fail "pmempool check $1"; }
}

# exchange MAKER READER BSIZE NAME LINE...	each @ of a line becomes the folder of the parts
exchange()
{
	local maker=$1 reader=$2 bsize=$3 name=$4 p=$work/pool.set parts=$work/parts made read
	shift 4
	rm -rf "$parts" "$p"
	mkdir -p "$parts/d" "$parts/e"
	{
		echo PMEMPOOLSET
		printf '%s\n' "${@//@/$parts}"
	} >"$p"
	made=$(pool "$maker" create "$p" "$bsize" 0)
	consistent "$p"
	pool "$maker" fill "$p" "$bsize" 1 0 400
	consistent "$p"
	read=$(pool "$reader" verify "$p" "$bsize" 1 400)
	[ "${read%% *}" = "$made" ] || fail "$made blocks were made, the reader sees $read"
	pool "$reader" fill "$p" "$bsize" 1 400 800
	consistent "$p"
	pool "$maker" verify "$p" "$bsize" 1 800 >/dev/null
	case_ok "$maker makes, $reader reads, block size $bsize: $name"
}

for pair in "ours original" "original ours"; do
	exchange $pair 512 "one part" "20M @/a"
	exchange $pair 4104 "four parts" "2M @/a" "2101249 @/b" "2M @/c" "12M @/d/d"
	exchange $pair 520 "one header" "OPTION SINGLEHDR" "2M @/a" "14M @/b" "2101249 @/c"
	exchange $pair 65536 "eight parts" "5M @/a" "4M @/b" "3M @/c" "2M @/f" "5M @/g" "6M @/h" \
		"7M @/i" "8M @/j"
	exchange $pair 4096 "directories" "OPTION SINGLEHDR" "1G @/d" "1G @/e"
done

# Both libraries refuse to open the same sets.
refused()
{
	local libs
	for libs in ours original; do
		if out=$(pool $libs check "$work/pool.set" 0 2>&1) && [ "$out" != -1 ]; then
			fail "$libs accepts $1: $out"
		fi
	done
	case_ok "refused by both: $1"
}

rm -rf "$work/parts"
mkdir "$work/parts"
write_set()
{
	{
		echo PMEMPOOLSET
		printf '%s\n' "${@//@/$work/parts}"
	} >"$work/pool.set"
}
write_set "8M @/a" "8M @/b" "8M @/c"
pool ours create "$work/pool.set" 512 0 >/dev/null
write_set "8M @/a" "8M @/c" "8M @/b"
refused "parts exchanged"
write_set "8M @/a" "8M @/b"
refused "a part missing"
write_set "8M @/a" "8M @/b" "9M @/c"
refused "a part of another length"
write_set "OPTION SINGLEHDR" "8M @/a" "8M @/b" "8M @/c"
refused "one header expected, each part has one"
write_set "8M @/a" "8M @/b" "8M @/c"
[ "$(pool original check "$work/pool.set" 0)" = 1 ] || fail "the set is not as before"
case_ok "the set is as before"
