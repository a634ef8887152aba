#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Damaged pools are examined by pmemblk check and repair, and by Debian's pmempool. After a repair both
# find the pool consistent, and a second repair has nothing to do. On the original library, every block
# that the table does not name reads as before. The backup restores every bit of the damaged pool. If
# the tools differ, the table says why.
. "$(dirname "$0")/lib.sh"
need_command pmempool pmdk-tools
[ -x "$BUILD/bin/pmemblk" ] || skip "the tool is not built"
export PMEM_IS_PMEM_FORCE=1
unset EXPECT_MODE
damage=$BUILD/tests/compat/damage

tool()
{
	on ours "$BUILD/bin/pmemblk" "$@"
}

status_of()
{
	local rc=0
	"$@" >"$work/log" 2>&1 || rc=$?
	echo $rc
}

# Columns: damage | exit status of pmemblk check, repair | consistent for pmempool check: damaged,
# after pmempool check -r, after -r -a, after pmemblk repair | blocks in the error state after
# ours | blocks that read otherwise | why ours differs
matrix='
none                       | 0 0 | yes yes yes yes | 0 | 0 |
header_checksum            | 1 0 | no  no  yes yes | 0 | 0 | it follows from what else is there
header_signature           | 1 0 | no  no  yes yes | 0 | 0 | it follows from what else is there
header_features            | 3 3 | yes yes yes yes | - | - | the library does not open it
header_links               | 1 0 | yes yes yes yes | 0 | 0 | the library does not open it
shutdown_state_checksum    | 0 0 | yes yes yes yes | 0 | 0 |
block_size                 | 1 0 | yes yes yes yes | 0 | 0 | the library does not open it
primary_checksum           | 1 0 | no  yes yes yes | 0 | 0 |
primary_signature          | 1 0 | no  yes yes yes | 0 | 0 |
primary_foreign            | 1 0 | yes yes yes yes | 0 | 0 | pmempool copies the foreign block over the good one
primary_zeroed             | 1 0 | yes yes yes yes | 0 | 0 | pmempool takes the pool for an empty one
copy_checksum              | 1 0 | no  yes yes yes | 0 | 0 |
both_checksums             | 1 0 | no  no  no  yes | 0 | 0 | they follow from the sizes, and the flog confirms them
both_zeroed                | 1 0 | yes yes yes yes | 0 | 0 | pmempool takes the pool for an empty one
error_flag                 | 0 0 | yes yes yes yes | 0 | 0 |
wrong_nlba                 | 1 0 | no  no  no  yes | 0 | 0 | they follow from the sizes, and the flog confirms them
wrong_nfree                | 1 0 | no  no  no  yes | 0 | 0 | they follow from the sizes, and the flog confirms them
map_out_of_range           | 1 0 | no  no  yes yes | 1 | 0 |
map_duplicate              | 1 0 | no  no  yes yes | 2 | 0 |
map_of_free_block          | 1 0 | no  no  yes yes | 1 | 0 | the flog proves the block free; pmempool lets the entry name it
map_zero_flag              | 0 0 | yes yes yes yes | 0 | 1 |
flog_same_sequence         | 1 0 | no  no  yes yes | 0 | 0 |
flog_sequence_zero         | 1 0 | no  no  yes yes | 0 | 0 |
flog_lba_out_of_range      | 1 0 | no  no  yes yes | 0 | 0 |
flog_old_out_of_range      | 1 0 | no  no  yes yes | 0 | 0 |
flog_old_duplicate         | 1 0 | no  no  yes yes | 0 | 0 |
unfinished_write           | 0 0 | yes yes yes yes | 0 | 0 |
last_page_cut_off          | 1 0 | no  no  no  yes | 0 | 0 | the file is extended by the page
flog_cut_off               | 1 1 | no  no  no  no  | - | - |
grown                      | 0 0 | no  no  no  no  | 0 | 0 | a pool keeps its layout when its file grows
grown_and_primary_checksum | 1 0 | no  no  no  no  | 0 | 0 | a pool keeps its layout when its file grows
live_block_freed           | 1 0 | no  no  yes yes | 0 | 0 |
stale_lba_out_of_range     | 1 0 | yes yes yes yes | 0 | 0 | the library does not open it
duplicate_of_last_write    | 1 0 | no  no  yes yes | 1 | 0 | the flog proves one of the two
write_to_block_in_use      | 1 0 | no  no  yes yes | 0 | 1 | the write is taken back
header_wiped               | 1 0 | no  no  yes yes | 0 | 0 |
unusual_slots              | 0 0 | no  no  yes no  | 0 | 0 | both libraries accept them
unusual_slots_and_map      | 1 0 | no  no  yes yes | 1 | 0 |
everything_at_once         | 1 0 | no  no  yes yes | 3 | 0 |
'

pool ours create "$work/base" 512 20000000 >/dev/null
pool ours fill "$work/base" 512 1 0 300

# --- damages of our own ----------------------------------------------------------------------

le()
{
	od -An -v -tu"$1" -N"$1" -j"$2" "$work/p" | tr -d ' '
}

put32()
{
	local v=$2 bytes
	printf -v bytes '\\x%02x' $((v & 255)) $((v >> 8 & 255)) $((v >> 16 & 255)) $((v >> 24 & 255))
	printf "$bytes" | dd of="$work/p" bs=1 seek="$1" conv=notrunc status=none
}

arena=8192
map=$((arena + $(od -An -tu8 -N8 -j$((arena + 96)) "$work/base")))
flog=$((arena + $(od -An -tu8 -N8 -j$((arena + 104)) "$work/base")))

# Sets slot (one whose last write is the last one to its block), its current record rec, the other
# one stale, and the record's fields lba, old and new.
find_written_slot()
{
	local a b i
	for i in $(seq "${1:-0}" 255); do
		slot=$((flog + 64 * i))
		a=$(le 4 $((slot + 12))) b=$(le 4 $((slot + 28)))
		rec=$slot stale=$((slot + 16))
		[ "$b" = $((a % 3 + 1)) ] && [ "$a" != 0 ] && rec=$((slot + 16)) stale=$slot
		lba=$(le 4 $rec) old=$(le 4 $((rec + 4))) new=$(le 4 $((rec + 8)))
		[ "$old" != "$new" ] && [ "$(le 4 $((map + 4 * lba)))" = "$new" ] && [ "$old" -ge $((0xc0000000)) ] &&
			return 0
	done
	fail "no such slot"
}

# Finds the entry of a block other than lba that holds data.
find_data()
{
	local i
	for i in $(seq "${1:-0}" 38000); do
		data_entry=$((map + 4 * i))
		data=$(le 4 $data_entry)
		[ "$data" -ge $((0xc0000000)) ] && [ "$i" != "$lba" ] && return 0
	done
	fail "no such block"
}

live_block_freed()
{
	find_written_slot
	find_data 1000
	put32 $((rec + 4)) "$data"
}

stale_lba_out_of_range()
{
	find_written_slot
	put32 $stale 4000000000
}

duplicate_of_last_write()
{
	find_written_slot
	find_data 1000
	put32 $data_entry "$new"
}

write_to_block_in_use()
{
	find_written_slot
	find_data 1000
	put32 $((map + 4 * lba)) "$old"
	put32 $((rec + 8)) "$data"
}

header_wiped()
{
	dd if=/dev/zero of="$work/p" bs=4096 count=2 conv=notrunc status=none
}

# Slots without a write, in forms that the layout does not make: a sequence number above 3; the
# record in the second place; flags in a record that is not in use.
unusual_slots()
{
	local slot=$((flog + 64 * 253))
	for slot in $slot $((slot + 64)) $((slot + 128)); do
		[ "$(le 4 $((slot + 4)))" = "$(le 4 $((slot + 8)))" ] || fail "a slot was used"
	done
	put32 $((flog + 64 * 253 + 12)) 5
	slot=$((flog + 64 * 254))
	dd if="$work/p" of="$work/p" bs=16 count=1 skip=$((slot / 16)) seek=$((slot / 16 + 1)) conv=notrunc status=none
	dd if=/dev/zero of="$work/p" bs=16 count=1 seek=$((slot / 16)) conv=notrunc status=none
	put32 $((flog + 64 * 255 + 20)) $((0x80000000))
	put32 $((flog + 64 * 255 + 24)) $((0x40000000))
}

unusual_slots_and_map()
{
	unusual_slots
	"$damage" map_out_of_range "$work/p"
}

everything_at_once()
{
	"$damage" map_out_of_range "$work/p"
	duplicate_of_last_write
	find_written_slot $(((slot - flog) / 64 + 1))
	put32 $((rec + 12)) 9
	put32 $((stale + 12)) 9
	find_data 20000
	put32 $data_entry $((0xffffffff))
	"$damage" primary_checksum "$work/p"
	header_wiped
}

spoil()
{
	rm -f "$work"/p*
	cp "$work/base" "$work/p"
	if [ "$(type -t "$1")" = function ]; then
		"$1"
	else
		"$damage" "$1" "$work/p" || fail "cannot damage: $1"
	fi
}

# --- comparing -------------------------------------------------------------------------------

consistent()
{
	on original pmempool check "$work/p" >/dev/null 2>&1 && echo yes || echo no
}

# Reads all blocks with the original library, and lists those that it cannot read.
read_all()
{
	pool original read "$1" 512 >"$2" 2>"$work/err" || { cat "$work/err"; fail "reading all blocks"; }
	sort "$work/err" >"$2.errors"
}
cp "$work/base" "$work/p"
read_all "$work/p" "$work/before"
[ "$(wc -l <"$work/before.errors")" -gt 3 ] || fail "the base has no error blocks"

diff <("$damage" list) <(sed -n 's/^\([a-z_]\+\) .*/\1/p' <<<"$matrix" | head -n "$("$damage" list | wc -l)") ||
	fail "the table and the damages differ"

bad=0
while IFS='|' read -r name ours pmempool lost other why; do
	name=${name// /}
	[ -n "$name" ] || continue
	read -r want_check want_repair <<<"$ours"
	read -r want_damaged want_r want_ra want_ours <<<"$pmempool"
	spoil "$name"
	cp "$work/p" "$work/damaged"
	damaged=$(consistent)
	on original pmempool check -r -y "$work/p" >/dev/null 2>&1 || true
	r=$(consistent)
	cp "$work/damaged" "$work/p"
	on original pmempool check -a -r -y "$work/p" >/dev/null 2>&1 || true
	ra=$(consistent)

	cp "$work/damaged" "$work/p"
	check=$(status_of tool check "$work/p")
	dry=$(status_of tool repair --dry-run "$work/p")
	cmp "$work/p" "$work/damaged" || fail "$name: a dry run changed the pool"
	[ ! -e "$work/p.undo" ] || fail "$name: a dry run left a backup"
	repair=$(status_of tool repair "$work/p")
	after=$(consistent)
	gone=- differs=-
	if [ "$repair" = 0 ]; then
		if [ -e "$work/p.undo" ]; then
			[ "$dry" = 1 ] || fail "$name: the dry run returned $dry"
			cp "$work/p" "$work/repaired"
			tool repair --undo="$work/p.undo" "$work/p" >/dev/null || fail "$name: undo"
			cmp "$work/p" "$work/damaged" || fail "$name: undo leaves something else"
			cp "$work/repaired" "$work/p"
		else
			cmp "$work/p" "$work/damaged" || fail "$name: changed without a backup"
		fi
		[ "$(status_of tool check "$work/p")" = 0 ] || { cat "$work/log"; fail "$name: not consistent"; }
		tool repair "$work/p" >"$work/log" || fail "$name: second repair"
		grep -q 'consistent, nothing was changed' "$work/log" || fail "$name: second repair changes something"
		rm -f "$work/after"*
		read_all "$work/p" "$work/after"
		gone=$(comm -13 "$work/before.errors" "$work/after.errors" | wc -l)
		# Counts blocks that read differently, without those that cannot be read.
		cmp -l "$work/before" "$work/after" | awk '{ b = int(($1 - 1) / 512); if (b != last) print b; last = b }' |
			sort >"$work/changed" || true
		differs=$(comm -23 "$work/changed" "$work/after.errors" | wc -l)
	else
		cmp "$work/p" "$work/damaged" || fail "$name: a repair that failed changed the pool"
	fi
	found="$check $repair $damaged $r $ra $after $gone $differs"
	want="$want_check $want_repair $want_damaged $want_r $want_ra $want_ours ${lost// /} ${other// /}"
	if [ "$found" != "$want" ]; then
		echo "$name: expected $want, found $found"
		bad=$((bad + 1))
	fi
	[ "$check" = 0 ] && agree=yes || agree=no
	if [ "$agree $after" != "$damaged $ra" ] && [ -z "${why// /}" ]; then
		fail "$name: the table does not say why"
	fi
	case_ok "$name: check $check, repair $repair, pmempool $damaged, after -r $r, after -r -a $ra, after ours $after," \
		"blocks given up $gone, changed $differs${why:+ ($(echo $why))}"
done <<<"$matrix"
[ $bad = 0 ] || fail "$bad rows differ"
