#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pmemblk(1): the command line, help and exit statuses.
. "$(dirname "$0")/lib.sh"
p=$work/pool

expect 0 --version
printed "^pmemblk $VERSION\$"
cp "$work/out" "$work/version"
expect 0 -V
cmp "$work/out" "$work/version" || fail "-V and --version differ"
[ "$(wc -l <"$work/out")" = 3 ] || fail "--version names other than the tool and two libraries"
expect 0 --help
cp "$work/out" "$work/help"
expect 0 -h
cmp "$work/out" "$work/help" || fail "-h and --help differ"
commands=$(awk '/^  [a-z]/ { print $1 }' "$work/out")
[ "$(tr '\n' ' ' <<<"$commands")" = 'create info check repair grow dump export import bench ' ] ||
	fail "the help names other commands: $commands"
printed '^usage: pmemblk \[--wait=SECONDS\] COMMAND \[OPTION\]\.\.\. ARGUMENT\.\.\.$'
printed '^Exit status: 0 done, consistent; 1 damage found; 2 wrong usage; 3 an error\.$'
for c in $commands; do
	expect 0 "$c" --help
	printed "^usage: pmemblk $c "
	what=$(sed -nE "s/^  $c +(.+)/\1/p" "$work/help")
	[ -n "$what" ] && [ "$(sed -n 3p "$work/out")" = "$what" ] || fail "$c --help does not say '$what'"
	grep -q "^\.It Cm $c\$" "$SOURCE/src/man/pmemblk.1" || fail "the manual does not describe $c"
	grep -q '^      --wait=SECONDS ' "$work/out" || fail "$c has no --wait"
	# What an option does stands in one column.
	awk '/^$/ { part++; next }
		part == 2 && (substr($0, 25, 1) != " " || substr($0, 26, 1) == " ") { bad = 1 }
		part == 2 && !/^  -[a-z], --/ && !/^      --/ && substr($0, 1, 25) ~ /[^ ]/ { bad = 1 }
		part == 2 { lines++ }
		END { exit bad || lines < 2 }' "$work/out" || fail "the help of $c is not in columns"
	for option in $(grep -oE '^  (-[a-zA-Z], |    )--[a-z-]+' "$work/out" | grep -oE -- '--.*'); do
		[ "$option" != --wait ] || continue # described once
		awk -v c="$c" '/^\.It Cm / { in_it = $3 == c } in_it' "$SOURCE/src/man/pmemblk.1" |
			grep -qE -- "[ ,]${option#-}( |\$)|^\.It Fl ${option#-}( |\$)" ||
			fail "the manual does not describe $c $option"
	done
done
for c in $commands; do
	expect 0 "$c" --help
	cp "$work/out" "$work/help"
	expect 0 help "$c"
	cmp "$work/out" "$work/help" || fail "help $c and $c --help differ"
done
expect 0 --help
cp "$work/out" "$work/help"
expect 0 help
cmp "$work/out" "$work/help" || fail "help and --help differ"
grep -q '^\.Fl -wait Ns = Ns Ar seconds' "$SOURCE/src/man/pmemblk.1" ||
	fail "the manual does not describe --wait"
expect 2 help frobnicate
said "no command 'frobnicate'"
expect 0 export --help
printed '^FILE - is the standard output\.$'
expect 0 import --help
printed '^FILE - is the standard input\.$'
case_ok "help and manual name every command and option"

expect 0 create --help
diff - "$work/out" <<-'END' || fail "the help of create reads otherwise (right)"
	usage: pmemblk create -b BSIZE [OPTION]... PATH

	make a pool

	  -b, --block-size=SIZE  bytes per block
	  -s, --size=SIZE        length of the new file [the smallest pool with such
	                         blocks]; 0: the pool takes the whole of an existing
	                         file, device DAX or pool set
	  -m, --mode=MODE        permission bits of the files made, octal [644]
	  -w, --write-layout     write the metadata now, not with the first write
	      --wait=SECONDS     seconds to wait for a pool that is in use [0]; -1: for ever
END
case_ok "the help shows which options have values, and every line about them"

expect 2
said '^usage: pmemblk \[--wait=SECONDS\] COMMAND'
[ "$(head -n 1 "$work/err")" = "$(head -n 1 "$work/help")" ] || fail "a message about nothing"
expect 2 frobnicate "$p"
said "^pmemblk: there is no command 'frobnicate'\$"
said '^usage: pmemblk \[--wait=SECONDS\] COMMAND'
expect 2 create "$p"
said 'block size .* missing'
expect 2 create -b
said "'-b' needs a value"
for bad in x -1 '' 12x 1KX 99999999999999999999 1Z 1.5 1.5B .5k 1.k 0x 0x1k 1_000 ' 1' '1 ' 16777216P; do
	expect 2 create -b "$bad" "$p"
	said "^pmemblk: --block-size=$bad: wanted is a size .* from 1 to 4294967295\$"
	expect 2 create -b 512 -s "$bad" "$p"
	[ "$(wc -l <"$work/err")" = 2 ] || fail "more than a message and the usage"
done
expect 2 create -b 0 "$p"
expect 2 create -b 4G "$p"
expect 2 create -b 512 -m 9 "$p"
said "--mode=9: wanted is permission bits in octal"
expect 2 create -b 512 -m 77777 "$p"
expect 2 create -b 512
said '^pmemblk: PATH is missing$'
expect 2 create -b 512 "$p" "$p.2"
said 'one argument too many'
for c in info check repair 'grow -s 1G' dump 'create -b 1'; do
	# shellcheck disable=SC2086
	expect 2 $c ''
	said '^pmemblk: PATH is an empty name, which no file can have$'
done
expect 2 export "$p" ''
said '^pmemblk: FILE is an empty name'
expect 2 import '' "$p"
expect 2 check --wrong "$p"
said "wrong option '--wrong'"
expect 2 info -x "$p"
said "unknown option '-x'"
# The message names that option, wherever it stands.
expect 2 check --quiet -xq "$p"
said "^pmemblk: unknown option '-x'\$"
expect 2 check -qx --quiet "$p"
said "^pmemblk: unknown option '-x'\$"
expect 2 check --block-size 512 -: "$p"
said "^pmemblk: unknown option '-:'\$"
expect 2 check --quiet=yes -q "$p"
said "^pmemblk: wrong option '--quiet=yes'\$"
expect 2 check --help=yes "$p"
said "^pmemblk: wrong option '--help=yes'\$"
expect 2 create -wb
said "^pmemblk: option '-wb' needs a value\$"
expect 2 grow "$p"
said '^pmemblk: the size \(-s\) is missing$'
for option in -n '-s 1G' '-b backup'; do
	# shellcheck disable=SC2086
	expect 2 grow -u undo $option "$p"
	said '^pmemblk: --undo goes with no other option$'
done
[ ! -e "$p" ] || fail "a wrong command line made a file"
case_ok "a wrong command line is status 2 and does nothing"


# ARGUMENTS|MESSAGE: each message names the values that would fit the others.
while IFS='|' read -r arguments message; do
	# shellcheck disable=SC2086
	expect 2 create $arguments "$p"
	said "^pmemblk: $message\$"
	[ "$(wc -l <"$work/err")" = 2 ] || fail "more than a message and the usage"
done <<-END
	-b 4k -s 1.5M|1572864 bytes are too few for a pool: with blocks of 4096 bytes it has at least 16785408
	-b 1M -s 1m|1048576 bytes are too few for a pool: with blocks of 1048576 bytes it has at least 536911872
	-b 1M -s 16785408|a pool with blocks of 1048576 bytes has at least 536911872 bytes; one of 16785408 bytes can have blocks of 1 to 32512
	-b 1M -s 536911871|a pool with blocks of 1048576 bytes has at least 536911872 bytes; one of 536911871 bytes can have blocks of 1 to 1048320
	-b 1M -s 64m|a pool with blocks of 1048576 bytes has at least 536911872 bytes; one of 67108864 bytes can have blocks of 1 to 130816
	-b 1G|no pool can have blocks of 1073741824 bytes: 1 to 1073741568 are possible
	-b 1G -s 1T|no pool can have blocks of 1073741824 bytes: 1 to 1073741568 are possible
	-b 1M -s 549777832960|a pool of 549777832960 bytes can have blocks of 1 to 42752 bytes; for blocks of 1048576 bytes make it 549755822080 bytes long
END
expect 2 bench -b 1M "$p"
said 'one of 67108864 bytes can have blocks of 1 to 130816'
expect 2 bench -b 4K -s 1 "$p"
said '^pmemblk: 1 bytes are too few for a pool: with blocks of 4096 bytes it has at least 16785408$'
[ ! -e "$p" ] || fail "a wrong size made a file"
truncate -s 64M "$work/sparse"
expect 3 create -b 130817 -s 0 "$work/sparse"
expect 0 create -b 130816 -s 64M "$p"
rm "$p"
case_ok "sizes that do not go together: the message has the nearest that do"
