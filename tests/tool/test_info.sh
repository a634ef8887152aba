#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): every field of info, for people and for programs.
. "$(dirname "$0")/lib.sh"
export TZ=UTC

number()
{
	od -An -v -t"u$4" -j"$2" -N"$3" "$1" | tr -d ' '
}

# Each of the four states has at least one block: 0 and 1 data, 2 zero, 3 error.
p=$work/pool
expect 0 create -b 4kB -s 32M "$p"
head -c 12000 /dev/zero | tr '\0' d >"$work/raw"
expect 0 import "$work/raw" "$p"
# Zeros in a block that was never written would leave it so.
head -c 4000 /dev/zero >"$work/zeros"
expect 0 import -f 2 "$work/zeros" "$p"
map=$((8192 + $(number "$p" 8288 8 8)))
printf '\3\0\0\100' | dd of="$p" bs=1 seek=$((map + 12)) conv=notrunc status=none
uuid=$(od -An -v -tx1 -j24 -N16 "$p" | tr -d ' \n')
as_shown()
{
	sed -E 's/(..)(..)(..)(..)(..)(..)(..)(..)(....)(............)/\4\3\2\1-\6\5-\8\7-\9-/' <<<"$1" | tr -d '\n'
	printf '%s\n' "${1:20}"
}
arena=$(od -An -v -tx1 -j$((8192 + 16)) -N16 "$p" | tr -d ' \n')
cat >"$work/expected" <<-END
	path: $p
	kind: file
	part 0
	  path: $p
	  length: 33554432
	size: 33554432
	block_size: 4000
	blocks: 7919
	made_of_zeros: yes
	uuid: $(as_shown "$uuid")
	created: $(date -d "@$(number "$p" 120 8 8)" '+%Y-%m-%d %H:%M:%S +0000')
	machine: $(number "$p" 142 2 2)
	features
	  compat: 1
	  incompat: 6
	  ro_compat: 0
	  check_bad_blocks: yes
	  single_header: no
	  checksum_2k: yes
	  shutdown_state: yes
	open_or_interrupted: no
	unsafe_shutdowns: 0
	layout: written
	arena 0
	  offset: 8192
	  size: 33546240
	  uuid: $(as_shown "$arena")
	  info_valid: yes
	  info_copy_valid: yes
	  error_flag: no
	  external_lbasize: 4000
	  external_nlba: 7919
	  internal_lbasize: 4096
	  internal_nlba: 8175
	  data_offset: 4096
	  map_offset: 33492992
	  flog_offset: 33525760
	  info_copy_offset: 33542144
	  blocks
	    never_written: 7915
	    zero: 1
	    error: 1
	    data: 2
END
expect 0 info --stats "$p"
diff "$work/expected" "$work/out" || fail "info says something else (right) than is there (left)"
expect 0 info "$p"
# Of the first entry that is not zero, only the last byte is not zero.
cp "$p" "$work/odd"
map=$((8192 + $(sed -n 's/^  map_offset: //p' "$work/expected")))
printf '\0\0\0\100' | dd of="$work/odd" bs=1 seek=$((map + 4 * 7918)) conv=notrunc status=none
head -c $((4 * 7918)) /dev/zero | dd of="$work/odd" bs=1M oflag=seek_bytes seek=$map conv=notrunc status=none
expect 0 info --stats "$work/odd"
printed '^    never_written: 7918$'
printed '^    error: 1$'
printed '^    data: 0$'
expect 0 info "$p"
sed '/^  blocks/,$d' "$work/expected" | diff - "$work/out" || fail "without --stats"
for option in --json --stats; do
	expect 2 info $option --map "$work/svg" "$p"
	said '^pmemblk: --map goes with --force only$'
	[ ! -e "$work/svg" ] || fail "a picture was drawn"
done
case_ok "info shows what stands in the files"

# --- other pools: what differs from that one ------------------------------------------------------

differs()
{
	local line
	while IFS= read -r line; do
		grep -qxF -- "$line" "$work/out" || fail "info does not show '$line'"
	done
}
printf 'PMEMPOOLSET\nOPTION SINGLEHDR\n9M %s\n10M %s\n' "$work/part0" "$work/part1" >"$work/set"
expect 0 create -b 512 -s 0 "$work/set"
expect 0 info -s "$work/set"
differs <<-END
	path: $work/set
	kind: pool set
	part 0
	  path: $work/part0
	  length: 9437184
	part 1
	  path: $work/part1
	  length: 10485760
	size: 19922944
	block_size: 512
	  incompat: 7
	  single_header: yes
	layout: none yet
	statistics: no block was written yet
END
expect 0 info "$work/set"
grep statistics "$work/out" && fail "statistics that nobody asked for"

cp "$p" "$work/copy"
printf '\377' | dd of="$work/copy" bs=1 seek=$((33554432 - 4096)) conv=notrunc status=none
expect 1 info "$work/copy"
differs <<-END
	  info_valid: yes
	  info_copy_valid: no
END
cp "$p" "$work/copy"
printf '\377' | dd of="$work/copy" bs=1 seek=8192 conv=notrunc status=none
expect 1 info "$work/copy"
differs <<-END
	  info_valid: no
	  info_copy_valid: yes
END
printf '\377' | dd of="$work/copy" bs=1 seek=$((33554432 - 4096)) conv=notrunc status=none
expect 1 info "$work/copy"
differs <<<"layout: damaged"
cp "$p" "$work/copy"
printf '\1' | dd of="$work/copy" bs=1 seek=4040 conv=notrunc status=none
expect 0 info "$work/copy"
differs <<<"open_or_interrupted: yes"
PMEMBLK_CONF='sds.at_create=0' expect 0 create -b 512 "$work/unguarded"
expect 0 info "$work/unguarded"
differs <<-END
	  incompat: 2
	  single_header: no
	  checksum_2k: yes
	  shutdown_state: no
END
truncate -s 20M "$work/given"
expect 0 create -b 512 -s 0 "$work/given"
expect 0 info "$work/given"
differs <<<"made_of_zeros: no"
case_ok "info shows what is special about a pool"

command -v python3 >/dev/null || skip "python3 (package python3) is not installed"
# The last time that a date can have, and one that no calendar has.
cp "$p" "$work/copy"
for time in '\377\377\377\377\0\0\0\0|2106-02-07 06:28:15 +0000' '\377\377\377\377\377\377\377\177|9223372036854775807' \
	'\377\377\377\377\377\377\377\377|18446744073709551615'; do
	# shellcheck disable=SC2059 # bytes
	printf "${time%|*}" | dd of="$work/copy" bs=1 seek=120 conv=notrunc status=none
	python3 - "$work/copy" <<-'END'
		import struct, sys
		with open(sys.argv[1], "r+b") as f:
		    lo = hi = 0
		    for word in struct.unpack("<1024I", f.read(2048) + bytes(2048)):
		        lo = (lo + word) % 2**32
		        hi = (hi + lo) % 2**32
		    f.seek(4088)
		    f.write(struct.pack("<Q", hi << 32 | lo))
	END
	expect 0 info "$work/copy"
	differs <<<"created: ${time#*|}"
done
case_ok "a time is a date, if it can be one"

# A pool of an early version: the checksum covers the whole header, and there is no shutdown state.
cp "$p" "$work/copy"
python3 - "$work/copy" <<-'END'
	import struct, sys
	with open(sys.argv[1], "r+b") as f:
	    header = bytearray(f.read(4096))
	    header[12:20] = bytes(8)
	    header[2048:] = bytes(2048)
	    lo = hi = 0
	    for word in struct.unpack("<1024I", header):
	        lo = (lo + word) % 2**32
	        hi = (hi + lo) % 2**32
	    header[4088:] = struct.pack("<Q", hi << 32 | lo)
	    f.seek(0)
	    f.write(header)
END
expect 0 info "$work/copy"
differs <<-END
	  compat: 0
	  incompat: 0
	  check_bad_blocks: no
	  single_header: no
	  checksum_2k: no
	  shutdown_state: no
END
expect 0 check "$work/copy"
case_ok "info shows features that a pool does not have"

cat >"$work/compare.py" <<'END'
# The output for people and the one for programs have the same facts.
import calendar, json, os, sys, time

def names(v, out):
    for k, x in v.items():
        if isinstance(x, list):
            for e in x:
                names(e, out)
        elif isinstance(x, dict):
            names(x, out)
        else:
            out.append((k, x))
    return out

lines = [l.strip().split(": ", 1) for l in open(sys.argv[1]) if ": " in l]
facts = names(json.load(open(sys.argv[2])), [])
assert len(lines) == len(facts), (lines, facts)
for (name, text), (key, value) in zip(lines, facts):
    if key == "created":
        assert calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S +0000")) == value
        continue
    want = {"yes": True, "no": False}.get(text, text)
    assert name == key and (want is value if isinstance(value, bool) else want == str(value)), (name, text, value)
END
for f in "$p" "$work/set"; do
	expect 0 info --stats "$f"
	grep -v statistics "$work/out" >"$work/text"
	expect 0 info --stats --json "$f"
	python3 "$work/compare.py" "$work/text" "$work/out" || fail "JSON and text of $f differ"
	python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin), indent=2))' <"$work/out" |
		sed 's/^\( *"arenas": \)\[\]$/\1[\n  ]/' | diff - "$work/out" || fail "the JSON of $f (right) is not indented"
done
case_ok "the JSON holds the same facts"

# FILE STATUS: whatever is wrong, the output is one object with an error, and the status is that of
# a dry run.
head -c 20M /dev/zero >"$work/zeros"
head -c 20M /dev/zero | tr '\0' x >"$work/foreign"
: >"$work/empty"
cp "$p" "$work/copy"
printf '\377' | dd of="$work/copy" bs=1 seek=200 conv=notrunc status=none
printf 'PMEMPOOLSET\nnonsense\n' >"$work/badset"
cp "$p" "$work/lost"
for at in 8192 $((33554432 - 4096)); do
	printf '\377' | dd of="$work/lost" bs=1 seek=$at conv=notrunc status=none
done
while read -r name status; do
	expect "$status" repair --dry-run "$work/$name"
	expect "$status" info --json "$work/$name"
	python3 - "$work/out" "$work/err" "$work/$name" <<-'END' || fail "the JSON of $name"
		import json, sys
		i = json.load(open(sys.argv[1]))
		assert i["path"] == sys.argv[3]
		assert "pmemblk: " + i["error"] + "\n" == open(sys.argv[2]).read()
	END
done <<-END
	absent 3
	zeros 3
	foreign 3
	empty 3
	. 3
	copy 1
	badset 3
	lost 1
END
expect 0 info --json "$p"
! grep '"error":' "$work/out" || fail "an error of a sound pool"
case_ok "info --json prints one JSON object whatever is wrong"

# Names of files: UTF-8 with all characters that JSON escapes, and bytes that are not UTF-8.
for name in $'a "quoted"\\name' $'\x01\x1f\x7f\n\t\x1b[2J' $'\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80' \
	$'\xff\xc3x\xed\xa0\x80\x80' $'\xc2\x9b\xe2\x80\xae\xf4\x90\x80\x80'; do
	cp "$p" "$work/$name"
	expect 0 info -j "$work/$name"
	python3 - "$work/out" "$work/$name" <<-'END' || fail "the bytes of a name do not come back"
		import json, os, sys
		i = json.load(open(sys.argv[1], encoding="utf-8"))
		wanted = os.fsencode(sys.argv[2])
		for path in i["path"], i["parts"][0]["path"]:
		    assert path.encode("utf-8", "surrogateescape") == wanted, (path, wanted)
		assert not any(ord(c) < 32 and c != "\n" or ord(c) == 127 for c in open(sys.argv[1]).read())
	END
done
case_ok "names come back from the JSON byte by byte"
