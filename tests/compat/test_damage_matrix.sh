#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Five judges examine damaged pools: pmemblk_check of this library and of the original,
# `pmempool check`, and this library again after `pmempool check -r` and `-r -a`. If this library and
# the original differ, the table says why; "!" stands for a crash.
. "$(dirname "$0")/lib.sh"
need_command pmempool pmdk-tools
export PMEM_IS_PMEM_FORCE=1
unset EXPECT_MODE
damage=$BUILD/tests/compat/damage

# Columns: damage | pmemblk_check: ours, original | pmempool check: consistent? | ours after -r |
# ours after -r -a | all data readable on ours without a repair? | why ours differs
matrix='
none                       | 1  1  | yes | 1  | 1  | yes |
header_checksum            | -1 -1 | no  | -1 | 1  | no  |
header_signature           | -1 -1 | no  | -1 | 1  | no  |
header_features            | -1 -1 | yes | -1 | -1 | no  |
header_links               | -1 -1 | yes | -1 | -1 | no  |
shutdown_state_checksum    | 1  1  | yes | 1  | 1  | yes |
block_size                 | 0  -1 | yes | 1  | 1  | no  | a damage, not a wrong call
primary_checksum           | 0  1  | no  | 1  | 1  | yes | the copy is used, the damage reported
primary_signature          | 0  1  | no  | 1  | 1  | yes | the copy is used, the damage reported
primary_foreign            | 0  1  | yes | 0  | 0  | yes | the copy is used, the damage reported
primary_zeroed             | 0  1  | yes | 0  | 0  | yes | the copy is used, the damage reported
copy_checksum              | 0  1  | no  | 1  | 1  | yes | a copy that cannot help is a damage
both_checksums             | 0  1  | no  | 0  | 0  | no  | nothing is laid out anew over data
both_zeroed                | 0  1  | yes | 0  | 0  | no  | nothing is laid out anew over data
error_flag                 | 1  1  | yes | 1  | 1  | yes |
wrong_nlba                 | 0  0  | no  | 0  | 0  | no  |
wrong_nfree                | 0  0  | no  | 0  | 0  | no  |
map_out_of_range           | 0  -1 | no  | 0  | 1  | no  | a damage, not an error of the call
map_duplicate              | 0  0  | no  | 0  | 1  | no  |
map_of_free_block          | 0  0  | no  | 0  | 1  | no  |
map_zero_flag              | 1  1  | yes | 1  | 1  | no  |
flog_same_sequence         | 0  0  | no  | 0  | 1  | yes |
flog_sequence_zero         | 0  0  | no  | 0  | 1  | yes |
flog_lba_out_of_range      | -1 -1 | no  | -1 | 1  | no  |
flog_old_out_of_range      | 0  !  | no  | 0  | 1  | yes | no bitmap is accessed out of bounds
flog_old_duplicate         | 0  0  | no  | 0  | 1  | yes |
unfinished_write           | 1  1  | yes | 1  | 1  | yes |
last_page_cut_off          | 0  1  | no  | 0  | 0  | yes | a copy that is missing is a damage
flog_cut_off               | 0  -1 | no  | 0  | 0  | no  | a damage, not an error of the call
grown                      | 1  1  | no  | 1  | 1  | yes |
grown_and_primary_checksum | 0  1  | no  | 0  | 0  | yes | the copy is found where it was
'

pool ours create "$work/base" 512 20000000 >/dev/null
pool ours fill "$work/base" 512 1 0 300

# Makes the damaged pool.
spoil()
{
	cp "$work/base" "$work/p"
	"$damage" "$1" "$work/p" || fail "cannot damage: $1"
}

# Prints what pmemblk_check() of LIBS returns.
verdict()
{
	{ pool "$1" check "$work/p" 0 || echo '!'; } 2>/dev/null | tail -n 1
}

# Names the damages without a row in the table, and the rows without a damage.
diff <("$damage" list) <(sed -n 's/^\([a-z_]\+\) .*/\1/p' <<<"$matrix") ||
	fail "the table and the damages differ"

bad=0
while IFS='|' read -r name checks pmempool repaired advanced readable why; do
	name=${name// /}
	[ -n "$name" ] || continue
	read -r want_ours want_original <<<"$checks"
	spoil "$name"
	before=$(sha256sum <"$work/p")
	ours=$(verdict ours)
	original=$(verdict original 2>/dev/null)
	[ "$(sha256sum <"$work/p")" = "$before" ] || fail "$name: check changed the pool"
	on original pmempool check "$work/p" >/dev/null 2>&1 && consistent=yes || consistent=no
	pool ours verify "$work/p" 512 1 300 >/dev/null 2>&1 && data=yes || data=no
	spoil "$name"
	on original pmempool check -r -y "$work/p" >/dev/null 2>&1 || true
	after=$(verdict ours)
	spoil "$name"
	on original pmempool check -a -r -y "$work/p" >/dev/null 2>&1 || true
	after_advanced=$(verdict ours)
	found="$ours $original $consistent $after $after_advanced $data"
	want="$want_ours $want_original ${pmempool// /} ${repaired// /} ${advanced// /} ${readable// /}"
	if [ "$found" != "$want" ]; then
		echo "$name: expected $want, found $found"
		bad=$((bad + 1))
	fi
	if [ "$want_ours" != "$want_original" ] && [ -z "${why// /}" ]; then
		fail "$name: the table does not say why"
	fi
	case_ok "$name: ours $ours, original $original, pmempool consistent $consistent, after repair $after" \
		"and $after_advanced, readable $data${why:+ ($(echo $why))}"
done <<<"$matrix"
[ $bad = 0 ] || fail "$bad rows differ"
