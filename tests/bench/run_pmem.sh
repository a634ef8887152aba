#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# libpmem's functions beside the original's, in one run. Writes $BUILD/bench/pmem.csv, prints a
# summary with the cases that are slower than 0.97 of the original beyond doubt, and with gnuplot
# draws a chart per figure.
#
# PAIRS [5] sets the effort; BENCH_PATTERN ["*"] and BENCH_MAX [16777216] select cases, see
# bench_pmem.c.
set -eu
export LC_ALL=C
here=$(realpath "$(dirname "$0")")
: "${BUILD:?}" "${PAIRS:=5}" "${BENCH_PATTERN:=*}" "${BENCH_MAX:=16777216}"
out=$BUILD/bench
mkdir -p "$out"
export OURS=$BUILD/lib PMEM_IS_PMEM_FORCE=1
"$here/compare.sh" "$out/pmem.csv" "$PAIRS" "$BUILD/tests/bench/bench_pmem" "$BENCH_PATTERN" \
	"$BENCH_MAX" >/dev/null

echo "libpmem, geometric means of original time / our time:"
awk -F, '
function mean(sum, n) { return n ? exp(sum / n) : 0 }
NR == 1 || $1 ~ /^limit/ { next }
{
	split($1, part, "/")
	figure = part[1]; variant = part[2]; size = part[3]
	group[figure "/" variant] += log($4); ngroup[figure "/" variant]++
	all += log($4); noise += log($7); nall++
	if (figure ~ /^mem/ && size <= 256 && (variant == "nodrain" || variant == "noflush")) {
		short[variant] += log($4); nshort[variant]++
		short["both"] += log($4); nshort["both"]++
	}
	if ($6 < 0.97) slow[++nslow] = $0
}
END {
	for (g in group)
		printf "  %-30s %.3f (%d cases)\n", g, mean(group[g], ngroup[g]), ngroup[g] | "sort"
	close("sort")
	for (v in short)
		printf "8 to 256 bytes, %s: %.3f (goal 1.15)\n", v, mean(short[v], nshort[v])
	printf "all cases: %.3f (goal 1.02); the original against itself: %.3f\n", \
		mean(all, nall), mean(noise, nall)
	printf "cases whose upper 95 %% bound is below 0.97: %d of %d\n", nslow, nall
	for (i = 1; i <= nslow; i++)
		print "  " slow[i]
}' "$out/pmem.csv"
awk -F'[/,]' '
$1 == "limit" { if (!($3 in bare) || $7 < bare[$3]) bare[$3] = $7 }
$1 == "memcpy" && $2 == "persist" && $4 == 0 && $5 == 1 { copy[$3] = $7 }
END {
	for (size in bare)
		if (size in copy)
			printf "%9d bytes: our time / bare non-temporal loop %.3f\n", size, \
				copy[size] / bare[size] | "sort -n"
}' "$out/pmem.csv"

command -v gnuplot >/dev/null || exit 0
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
for figure in memcpy memmove-forward memmove-backward memset flush mappings; do
	plots=()
	for variant in $(awk -F'[/,]' -v f=$figure '$1 == f && !seen[$2]++ { print $2 }' \
		"$out/pmem.csv"); do
		awk -F'[/,]' -v f=$figure -v v="$variant" '$1 == f && $2 == v && $4 == 0 && $5 == 1 {
			print $3, $8, $9, $10 }' "$out/pmem.csv" >"$data/$variant"
		plots+=("'$data/$variant' with yerrorlines title '$variant',")
	done
	[ ${#plots[@]} -gt 0 ] || continue
	gnuplot <<-END
		set terminal svg size 900,480 font "sans,11" background "white"
		set output "$out/pmem-$figure.svg"
		set title "$figure, aligned: original time / our time"
		set logscale x 2
		set xlabel "$([ $figure = mappings ] && echo mappings || echo bytes)"
		set ylabel "times faster"
		set grid y
		set key outside
		plot ${plots[*]} 1 with lines linecolor rgb "#aa3333" notitle
	END
done
