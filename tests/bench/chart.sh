#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Draws the ratios of a CSV of bench as bars, with their 95 % bounds and a line at 1.
#
#	chart.sh CSV SVG PATTERN TITLE MACHINE
set -eu
csv=$1 svg=$2 pattern=$3 title=$4 machine=$5
data=$(mktemp)
trap 'rm -f "$data"' EXIT
awk -F, -v pattern="$pattern" 'NR > 1 && $1 ~ pattern { print $1, $4, $5, $6 }' "$csv" >"$data"
rows=$(wc -l <"$data")
gnuplot <<END
set terminal svg size $((160 + rows * 26)),420 font "sans,11" background "white"
set output "$svg"
set title "$title\n{/*0.7 $machine}"
set ylabel "times faster"
set yrange [0:*]
set style data boxes
set boxwidth 0.7
set style fill solid 0.6
set xtics rotate by -60 font ",9"
set grid y
set nokey
plot "$data" using 0:2:xtic(1) with boxes linecolor rgb "#3b6ea5", \
     "" using 0:2:3:4 with yerrorbars pointtype 0 linecolor rgb "#222222", \
     1 with lines linecolor rgb "#aa3333"
END
