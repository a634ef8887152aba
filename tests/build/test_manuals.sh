#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The manual pages: there is one for every function, with the prototype that the header has; they
# are well-formed, refer to pages that exist, and their examples compile.
. "$(dirname "$0")/lib.sh"
cd "$SOURCE"
pages=$(ls src/man/* examples/*.1)

# Prints the prototypes of a header, one a line, with the same spacing:
# "int f(const char *a, size_t b)".
tidy()
{
	tr '\n\t' '  ' | tr ';' '\n' | sed -E 's/ +/ /g; s/^ //; s/ $//; s/\( /(/g; s/\* /*/g'
}
for h in libpmem libpmemblk; do
	${CC} -E -P "include/$h.h" | sed '/^#pragma/d; s/extern "C" {//' | tidy | grep -E '\bpmem(blk)?_[a-z_]+\(' |
		grep -vE '^(typedef|extern)\b'
done | sort -u >"$work/header"

# Prints the prototypes that the pages have in .Ft, .Fn, .Fo, .Fa and .Fc.
cat >"$work/prototypes.awk" <<'END'
function unquote(s) { gsub(/^"|"$/, "", s); return s }
# Splits "a b" c "d" into argument[1..n].
function arguments(s,   n, m) {
	n = 0
	while (match(s, /^ *("[^"]*"|[^ "]+)/)) {
		m = substr(s, RSTART, RLENGTH)
		sub(/^ */, "", m)
		argument[++n] = unquote(m)
		s = substr(s, RSTART + RLENGTH)
	}
	return n
}
/^\.Sh / { synopsis = $2 == "SYNOPSIS" }
!synopsis { next }
/^\.Ft / { sub(/^\.Ft /, ""); type = unquote($0) }
/^\.Fn / {
	sub(/^\.Fn /, "")
	n = arguments($0)
	list = ""
	for (i = 2; i <= n; i++)
		list = list (i > 2 ? ", " : "") argument[i]
	print type " " argument[1] "(" list ")"
}
/^\.Fo / { name = $2; list = "" }
/^\.Fa / { sub(/^\.Fa /, ""); list = list (list == "" ? "" : ", ") unquote($0) }
/^\.Fc/ { print type " " name "(" list ")" }
END
for page in $pages; do
	awk -f "$work/prototypes.awk" "$page" | sed -E 's/ +/ /g; s/\* /*/g' >"$work/$(basename "$page").proto"
done
cat "$work"/*.proto | sort >"$work/manual"
diff "$work/header" "$work/manual" || fail "prototypes differ (left: header, right: manual)"
[ "$(wc -l <"$work/header")" -ge 39 ] || fail "too few prototypes were found"
case_ok "the prototypes of all $(wc -l <"$work/header") functions are those of the headers"

# man finds every function by its own name: make install makes a link for each name of a NAME section.
for page in $pages; do
	sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z_0-9-]*\).*/\1/p' "$page" | while read -r name; do
		echo "$name.${page##*.} $page"
	done
done >"$work/names"
sed -E 's/.*\b(pmem(blk)?_[a-z_]+)\(.*/\1/; s/.*\b(pmem(blk)?_set_funcs)\(.*/\1/' "$work/header" >"$work/functions"
while read -r function; do
	page=$(awk -v name="$function.3" '$1 == name { print $2 }' "$work/names")
	[ -f "$page" ] || fail "there is no page for $function, or several: $page"
	grep -qE "[ *]$function\\(" "$work/$(basename "$page").proto" || fail "$page does not show $function"
done <"$work/functions"
while read -r name page; do
	case $name in
	*.3) grep -qE "\b${name%.3}\(" "$work/header" || fail "$page describes $name, which is no function" ;;
	esac
done <"$work/names"
for page in $pages; do
	grep -qx "$(basename "$page") $page" "$work/names" || fail "$page does not name itself"
done
for page in libpmem.7 libpmemblk.7 poolset.5 pmem_ctl.5; do
	[ -f "src/man/$page" ] || fail "there is no $page"
done
case_ok "every function has a page"

for page in $pages; do
	for ref in $(sed -nE 's/^\.(It )?Xr (pmem[a-z_]*|libpmem[a-z]*|poolset) ([0-9]).*/\2.\3/p' "$page"); do
		grep -q "^$ref " "$work/names" || fail "$page refers to $ref"
	done
	title=$(sed -nE 's/^\.Dt ([A-Z_-]+) ([0-9])$/\1.\2/p' "$page")
	[ "${title,,}" = "$(basename "$page")" ] || fail "$page has the title $title"
done
case_ok "pages refer to pages that exist"

# The manual has exactly the environment variables that the code reads.
grep -rhoE '"(PMEM|PMEMBLK|PMDK)_[A-Z0-9_]+"' src --include='*.c' | tr -d '"' | sort -u >"$work/read"
sed -nE '/^\.(It )?Ev /{s/^\.(It )?Ev //;s/ [,.)]/\n/g;s/ Ns.*//;s/^ *//;p}' $pages | tr ' ' '\n' |
	grep -E '^PM' | sort -u >"$work/documented"
# The names of the log variables consist of the library's prefix and these endings.
for end in $(grep -rhoE '"_LOG_[A-Z]+"' src/common | tr -d '"' | sort -u); do
	printf '%s\n' "PMEM$end" "PMEMBLK$end" >>"$work/read"
done
sort -u -o "$work/read" "$work/read"
comm -23 "$work/read" "$work/documented" | grep . && fail "these are not documented"
comm -13 "$work/read" "$work/documented" | grep . && fail "these are not read by anything"
case_ok "the environment variables are those that the code reads"

# The manual has exactly the settings that the code has.
sed -nE 's/.*\[CTL_[A-Z_]+\] = \{\{"([a-z_]+)", "([a-z_]+)"\}, ([0-9])\}.*/\1.\2 [\3]/p' src/blk/base/ctl.c | sort >"$work/ctl"
sed -nE 's/^\.It Cm ([a-z_.]+) No (\[[0-9]\])/\1 \2/p' src/man/pmem_ctl.5 | sort | diff "$work/ctl" - ||
	fail "the settings in ctl.c (left) and pmem_ctl.5 (right) differ"
[ "$(wc -l <"$work/ctl")" -ge 5 ] || fail "too few settings were found"
while read -r name _; do
	grep -qF "$name" include/libpmemblk.h || fail "libpmemblk.h does not name $name"
done <"$work/ctl"
case_ok "the settings are those of the code, with their initial values"

# Compiles the programs and functions of the EXAMPLES sections.
n=0
for page in $pages; do
	awk -v out="$work/$(basename "$page")" '
		/^\.Sh / { examples = $2 == "EXAMPLES" }
		/^\.Ed/ { inside = 0 }
		inside { print > (out "." n ".c") }
		examples && /^\.Bd -literal/ { inside = 1; n++ }' "$page"
	for c in "$work/$(basename "$page")".*.c; do
		[ -f "$c" ] || { case $page in *.3) fail "$page has no example" ;; esac; continue; }
		grep -q '#include' "$c" || continue
		sed -i 's/\\e/\\/g; s/\\&//g; s/\\-/-/g' "$c"
		n=$((n + 1))
		link=-c
		grep -q '^main(' "$c" && link="$BUILD/lib/libpmemblk.a $BUILD/lib/libpmem.a -pthread"
		# shellcheck disable=SC2086
		$CC -std=c11 -Wall -Wextra -Werror -Iinclude ${SAN:+-fsanitize=$SAN} ${COV:+--coverage} \
			-o "$work/example" "$c" $link || fail "the example of $page"
	done
done
[ $n -ge 10 ] || fail "only $n examples were found"
case_ok "the examples compile ($n)"

if command -v mandoc >/dev/null; then
	# The base check of references needs a database of all installed pages: it is done above.
	# shellcheck disable=SC2086
	mandoc -Tlint -W style $pages 2>"$work/err" | grep -v 'referenced manual not found' >"$work/lint" || true
	[ ! -s "$work/lint" ] || { cat "$work/lint"; fail "mandoc complains"; }
	case_ok "mandoc has no complaint about $(wc -w <<<"$pages") pages"
fi
if command -v groff >/dev/null; then
	# Some declarations are too long for a line.
	# shellcheck disable=SC2086
	groff -mdoc -Tutf8 -ww -Wbreak $pages 2>"$work/err" >"$work/text"
	[ ! -s "$work/err" ] || { cat "$work/err"; fail "groff complains"; }
	case_ok "groff has no complaint"
fi
