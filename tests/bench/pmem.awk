# SPDX-License-Identifier: BSD-3-Clause
#
# The summary of libpmem's cases: geometric means, and the cases that are slower beyond doubt.
function mean(sum, n) { return n ? exp(sum / n) : 0 }
NR == 1 { next }
{
	split($1, part, "/")
	figure = part[1]; variant = part[2]; size = part[3]
	group[figure "/" variant] += log($4); ngroup[figure "/" variant]++
	all += log($4); noise += log($7); nall++
	if (figure ~ /^mem/ && size <= 256 && (variant == "nodrain" || variant == "noflush")) {
		short[variant] += log($4); nshort[variant]++
	}
	if ($6 < 0.97) slow[++nslow] = $1 " " $4 " [" $5 ", " $6 "]"
	if ($11 != "") bare[++nbare] = sprintf("%-34s %s", $1, $11)
}
END {
	print "libpmem, geometric means of original time / our time:"
	for (g in group)
		printf "  %-30s %.3f (%d cases)\n", g, mean(group[g], ngroup[g]), ngroup[g] | "sort"
	close("sort")
	for (v in short)
		printf "8 to 256 bytes, %s: %.3f\n", v, mean(short[v], nshort[v])
	printf "all cases: %.3f; the original against itself: %.3f\n", mean(all, nall), mean(noise, nall)
	print "our time / bare non-temporal loop:"
	for (i = 1; i <= nbare; i++)
		print "  " bare[i]
	printf "cases whose upper 95 %% bound is below 0.97: %d of %d\n", nslow, nall
	for (i = 1; i <= nslow; i++)
		print "  " slow[i]
}
