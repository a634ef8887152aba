#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs a benchmark program in turn on our libraries and on the original's, and compares.
#
#	compare.sh CSV PAIRS PROGRAM ARGS...
#
# LD_LIBRARY_PATH selects the libraries: $OURS is the folder of ours, $ORIGINAL that of the original
# (the system's by default). Each pair runs ours, original, original again (the noise), in an
# order that rotates. PROGRAM prints "case,nanoseconds" lines. The CSV has one row for each case:
# medians, the ratio original / ours (median over the pairs) with its 95 % bounds (mean of the
# logarithms +- 2 standard errors), and the same ratio of the original with itself.
set -eu
csv=$1 pairs=$2 program=$3
shift 3
: "${OURS:?folder of our libraries}"
: "${ORIGINAL:=$(dirname "$(ldconfig -p | awk '/libpmem.so.1 / { print $NF; exit }')")}"
raw=$(mktemp)
trap 'rm -f "$raw"' EXIT

run() { # pair, label, folder, arguments
	LD_LIBRARY_PATH=$3 "$program" "${@:4}" | sed "s|^|$1,$2,|" >>"$raw"
}

for ((p = 1; p <= pairs; p++)); do
	case $((p % 3)) in
	0) order="ours original again" ;;
	1) order="original again ours" ;;
	2) order="again ours original" ;;
	esac
	for who in $order; do
		if [ "$who" = ours ]; then dir=$OURS; else dir=$ORIGINAL; fi
		run "$p" "$who" "$dir" "$@"
	done
	echo "pair $p of $pairs" >&2
done

awk -F, '
function median(list, n,    i, j, t) {
	for (i = 2; i <= n; i++) {
		t = list[i]
		for (j = i - 1; j >= 1 && list[j] > t; j--)
			list[j + 1] = list[j]
		list[j + 1] = t
	}
	return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}
{
	if (!($3 in seen)) { seen[$3] = 1; order[++cases] = $3 }
	ns[$1, $2, $3] = $4
	if ($1 > pairs) pairs = $1
}
END {
	print "case,original_ns,ours_ns,ratio,low95,high95,noise"
	for (c = 1; c <= cases; c++) {
		name = order[c]
		sum = sq = 0
		for (p = 1; p <= pairs; p++) {
			a[p] = ns[p, "original", name]; b[p] = ns[p, "ours", name]
			r[p] = a[p] / b[p]; z[p] = a[p] / ns[p, "again", name]
			sum += log(r[p]); sq += log(r[p]) ^ 2
		}
		mean = sum / pairs
		var = pairs > 1 ? (sq - pairs * mean ^ 2) / (pairs - 1) : 0
		se = var > 0 ? sqrt(var / pairs) : 0
		printf "%s,%.1f,%.1f,%.3f,%.3f,%.3f,%.3f\n", name, median(a, pairs), \
			median(b, pairs), median(r, pairs), exp(mean - 2 * se), \
			exp(mean + 2 * se), median(z, pairs)
	}
}' "$raw" >"$csv"
column -s, -t "$csv"
