#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Compares the speed of these libraries with the original's and with bare loops: block pools on
# persistent memory (blk) and on a disk (disk), and libpmem (pmem). It also compares calls of many blocks
# with single ones, and on a disk with other software (batches); few threads with many (scale); and
# small pools with large ones (size). The arguments select some of these. Writes $BUILD/bench/*.csv and,
# with gnuplot, charts. Without arguments: all but scale and size, in about 15 minutes. scale takes 10
# minutes and size 1.5.
#
# ORIGINAL is the folder of the original's libraries [the system's], DISK one on an ordinary file
# system [/var/tmp]; THREADS ["1 2", and 4 8 16 where there are so many CPUs]; POOLS [5], ROUNDS and
# SLICE_MS set the effort, see bench.c; CASES names cases of block pools, PATTERN and MAX select cases of
# libpmem, and SCALE [1 2 4 8 16 200] are the threads of scale; for size see size.sh.
set -eu
export LC_ALL=C
here=$(realpath "$(dirname "$0")")
: "${BUILD:?}" "${DISK:=/var/tmp}" "${PATTERN:=*}" "${MAX:=16777216}"
: "${ORIGINAL:=$(dirname "$(ldconfig -p | awk '/libpmemblk.so.1 / { print $NF; exit }')")}"
[ -e "$ORIGINAL/libpmemblk.so.1" ] || { echo "the original's libraries are not there: set ORIGINAL"; exit 1; }
export OURS=$BUILD/lib ORIGINAL
out=$BUILD/bench
mkdir -p "$out"
program=$BUILD/tests/bench/bench
shm=$(mktemp -d /dev/shm/pmembench.XXXXXX)
disk=$(mktemp -d "$DISK/pmembench.XXXXXX")
trap 'rm -rf "$shm" "$disk"' EXIT
if [ -z "${THREADS:-}" ]; then
	THREADS="1 2"
	for n in 4 8 16; do
		if [ "$(nproc)" -ge $n ]; then THREADS="$THREADS $n"; fi
	done
fi

# Prints what every figure depends on.
machine()
{
	local cpu memory
	cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
	memory=$(awk '/^MemTotal/ { printf "%d GiB", $2 / 1048576 + 0.5 }' /proc/meminfo)
	echo "CPU: ${cpu:-$(uname -m)}, family $(sed -n 's/^cpu family[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" \
		"model $(sed -n 's/^model[[:space:]]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, $memory;" \
		"kernel $(uname -r); file system $(stat -f -c %T "$1")"
	case $2 in batches*) return ;; esac
	echo "original $(realpath "$ORIGINAL/libpmemblk.so.1" | sed 's|.*/||')," \
		"$(dpkg-query -W -f '${Version}' libpmemblk1 2>/dev/null || echo '?')"
}

# The table for people: ratio [95 %], noise [95 %], against the bare loop.
table()
{
	awk -F, '
		NR == 1 { sub("_ns", "", $2); sub("_ns", "", $3)
			printf "%-34s %12s %12s  %-20s  %-20s %10s\n", "case", $2 " ns", $3 " ns", \
				$2 " / " $3, $2 " / itself", $3 " / bare loop"; next }
		{ printf "%-34s %12s %12s  %5s [%s, %s]  %5s [%s, %s] %10s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9, $11 }' "$1"
}

# run WHAT FOLDER ARGUMENT...
run()
{
	local what=$1 where=$2 start=$SECONDS
	shift 2
	machine "$where" "$what" | tee "$out/$what.txt"
	"$program" "$what" "$where" "$@" >"$out/$what.csv"
	echo "$what: $((SECONDS - start)) s"
}

blk()
{
	local cases=() size threads op
	for size in 512 520 4096 65536; do
		for threads in $THREADS; do
			for op in write read; do cases+=("$op/$size/$threads"); done
			[ $size -eq 65536 ] || [ "$threads" -eq 1 ] || cases+=("mix/$size/$threads")
		done
	done
	cases+=(write-noload/512/1 write-noload/4096/1 zero/512/1 flag/512/1 first/512 first/4096
		open/512 open/4096 check/512 check-written/512)
	[ -z "${CASES:-}" ] || read -ra cases <<<"$CASES"
	PMEM_IS_PMEM_FORCE=1 run blk "$shm" "${cases[@]}"
	table "$out/blk.csv"
	chart blk '^(read|write|mix|zero|open|first|check)[a-z-]*/' 'Block pools: original time / our time'
}

disk()
{
	run disk "$disk" write/4096/1 write/4096/8
	table "$out/disk.csv"
	awk -F, '{ ours[$1] = $3 } END {
		printf "8 threads write %.2f times as much as one\n", ours["write/4096/1"] / ours["write/4096/8"] }' \
		"$out/disk.csv"
	"$here/durable_updates.sh" "$disk" 1 || true
}

# Per block: single calls divided by calls of many blocks.
batches()
{
	PMEM_IS_PMEM_FORCE=1 run batches "$shm" writev/512/1/16 writev/512/1/64 writev/4096/1/16 writev/4096/1/64 \
		readv/512/1/16 readv/512/1/64 readv/4096/1/64
	table "$out/batches.csv"
	run batches-disk "$disk" writev/4096/1/16 writev/4096/1/64
	table "$out/batches-disk.csv"
	"$here/durable_updates.sh" "$disk" 16 64 || true
}

pmem()
{
	PMEM_IS_PMEM_FORCE=1 POOLS=${POOLS:-3} run pmem "$shm" "$PATTERN" "$MAX"
	awk -F, -f "$here/pmem.awk" "$out/pmem.csv"
	charts_pmem
}

# scale_table CSV
scale_table()
{
	awk -F, '
		NR == 1 { printf "%-20s %12s %12s  %-22s %-24s %-24s\n", "operation/size/threads", "original ns", \
				"ours ns", "original / ours", "ours, two threads = 1", "original likewise"; next }
		{ printf "%-22s %12s %12s  %5s [%s, %s]  %5s [%s, %s]   %5s [%s, %s]\n", \
			$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
			split($1, part, "/")
			if (part[3] >= 16) { n++; if ($7 < 0.8) low[++nlow] = $1 " " $7 " [" $8 ", " $9 "]" } }
		END { printf "cases with 16 threads and more below 0.8 of two threads: %d of %d\n", nlow, n
			for (i = 1; i <= nlow; i++) print "  " low[i] }' "$1"
}

# Operations per microsecond against the number of threads.
chart_scale()
{
	local data plots=() op party dashes title color=0
	command -v gnuplot >/dev/null || return 0
	data=$(mktemp -d)
	for op in write/512 write/4096 read/512 read/4096 mix/512 mix/4096; do
		color=$((color + 1))
		for party in ours original; do
			awk -F, -v op="$op/" -v column=$([ $party = ours ] && echo 3 || echo 2) '
				index($1, op) == 1 { split($1, part, "/"); print part[3], 1000 / $column }' \
				"$out/scale.csv" >"$data/$party-${op/\//-}"
			dashes=$([ $party = ours ] && echo 1 || echo 2)
			title=${op/\// }
			[ $party = ours ] || title="original, $title"
			plots+=("'$data/$party-${op/\//-}' with linespoints lc $color dt $dashes lw 2 title '$title',")
		done
	done
	gnuplot <<-END
		set terminal svg size 900,480 font "sans,11" background "white"
		set output "$out/scale.svg"
		set title "Threads on one pool on persistent memory\n{/*0.7 $(head -n 1 "$out/scale.txt")}"
		set logscale xy
		set xtics (1, 2, 4, 8, 16, 200)
		set xrange [0.9:250]
		set yrange [0.5:*]
		set xlabel "threads"
		set ylabel "operations per microsecond"
		set grid
		set key outside
		plot ${plots[*]} 1 / 0 notitle
	END
	rm -rf "$data"
}

# Writers beside readers: operations per second, and the longest write.
beside_table()
{
	awk -F, '
		NR == 1 { printf "%-26s %10s %10s %24s %11s %11s %24s %10s %10s\n", "size/writers/readers/blocks", \
				"writes/s", "original", "ours / original", "reads/s", "original", "ours / original", \
				"worst ms", "original"; next }
		{ sub("beside/", "", $1)
			printf "%-27s %10d %10d %8s [%s, %s] %11d %11d %8s [%s, %s] %10.0f %10.0f\n", $1, 1e9 / $3, 1e9 / $2, \
			$4, $5, $6, 1e9 / $11, 1e9 / $10, $12, $13, $14, $16 / 1e6, $15 / 1e6 }' "$1"
}

# Many threads, also more than there are CPUs.
scale()
{
	local cases=() threads op size
	for op in write read mix; do
		for size in 512 4096; do
			for threads in ${SCALE:-1 2 4 8 16 200}; do cases+=("$op/$size/$threads"); done
		done
	done
	PMEM_IS_PMEM_FORCE=1 POOLS=${POOLS:-3} run scale "$shm" "${cases[@]}"
	scale_table "$out/scale.csv"
	chart_scale
	POOLS=${POOLS:-2} run scale-disk "$disk" "${cases[@]}"
	scale_table "$out/scale-disk.csv"
	PMEM_IS_PMEM_FORCE=1 POOLS=${POOLS:-3} run beside "$shm" beside/512/60/60/400 beside/4096/60/60/400
	beside_table "$out/beside.csv"
}

# Time and memory against the size of the pool. Nothing may grow faster than the pool; what takes less
# than a millisecond or a MiB counts as that.
size()
{
	local start=$SECONDS
	machine "$shm" size | tee "$out/size.txt"
	PMEM_IS_PMEM_FORCE=1 "$here/size.sh" "$BUILD/tests/bench/size" "$shm" >"$out/size.csv"
	awk -F, '
		NR == 1 { printf "%6s  %-14s %-9s %12s %14s %14s\n", "GiB", "step", "library", "ms", "resident KiB", \
				"private KiB"; next }
		{ printf "%6s  %-14s %-9s %12s %14s %14s\n", $1, $2, $3, $4, $5, $6 }
		$3 == "ours" { if ($4 == "") { print "  ours did not finish"; next }
			grow($2 " ms", $1, $4, 1); grow($2 " resident KiB", $1, $5, 1024); grow($2 " private KiB", $1, $6, 1024) }
		function grow(what, gib, v, least) {
			v = v < least ? least : v
			if (!(what in first)) { first[what] = v; from[what] = gib }
			else if (v / first[what] > 1.25 * gib / from[what])
				fast[++nfast] = what ": " gib / from[what] " times the size, " v / first[what] " times as much" }
		END { printf "ours grows faster than the pool: %s\n", nfast ? "" : "nothing"
			for (i = 1; i <= nfast; i++) print "  " fast[i] }' "$out/size.csv"
	chart_size
	echo "size: $((SECONDS - start)) s"
}

chart_size()
{
	local data column plots=() op party color label=("" "" milliseconds "resident memory, MiB")
	command -v gnuplot >/dev/null || return 0
	data=$(mktemp -d)
	for op in open first check-written; do
		for party in ours original; do
			awk -F, -v op=$op -v party=$party '$2 == op && $3 == party && $4 != "" {
				print $1, $4, $5 / 1024 }' "$out/size.csv" >"$data/$party-$op"
		done
	done
	for column in 2 3; do
		plots+=("set ylabel '${label[column]}'; plot \\")
		color=0
		for op in open first check-written; do
			color=$((color + 1))
			plots+=("'$data/ours-$op' using 1:$column with linespoints lc $color lw 2 title 'ours, $op', \\"
				"'$data/original-$op' using 1:$column with linespoints lc $color dt 2 title 'original, $op', \\")
		done
		plots[-1]=${plots[-1]%, \\}
	done
	gnuplot <<-END
		set terminal svg size 960,420 font "sans,11" background "white"
		set output "$out/size.svg"
		set multiplot layout 1,2 title "Sparse pools of 1 GiB to 1 TiB\n{/*0.7 $(head -n 1 "$out/size.txt")}"
		set logscale xy
		set xtics (1, 4, 16, 64, 256, 1024)
		set xrange [0.8:1300]
		set xlabel "GiB"
		set grid
		set key left top font ",9"
		$(printf '%s\n' "${plots[@]}")
	END
	rm -rf "$data"
}

# chart NAME PATTERN TITLE
chart()
{
	command -v gnuplot >/dev/null || return 0
	"$here/chart.sh" "$out/$1.csv" "$out/$1.svg" "$2" "$3" "$(head -n 1 "$out/$1.txt")"
}

charts_pmem()
{
	local figure variant data plots
	command -v gnuplot >/dev/null || return 0
	data=$(mktemp -d)
	for figure in memcpy memmove-forward memmove-backward memset; do
		plots=()
		for variant in $(awk -F'[/,]' -v f=$figure '$1 == f && !seen[$2]++ { print $2 }' "$out/pmem.csv"); do
			awk -F'[/,]' -v f=$figure -v v="$variant" '$1 == f && $2 == v && $4 == 0 && $5 == 1 {
				print $3, $8, $9, $10 }' "$out/pmem.csv" >"$data/$variant"
			plots+=("'$data/$variant' with yerrorlines title '$variant',")
		done
		[ ${#plots[@]} -gt 0 ] || continue
		gnuplot <<-END
			set terminal svg size 900,480 font "sans,11" background "white"
			set output "$out/pmem-$figure.svg"
			set title "$figure, aligned: original time / our time\n{/*0.7 $(head -n 1 "$out/pmem.txt")}"
			set logscale x 2
			set xlabel "bytes"
			set ylabel "times faster"
			set grid y
			set key outside
			plot ${plots[*]} 1 with lines linecolor rgb "#aa3333" notitle
		END
	done
	rm -rf "$data"
}

start=$SECONDS
for what in "${@:-blk disk pmem batches}"; do
	for part in $what; do
		echo
		$part
	done
done
echo
echo "all of it: $((SECONDS - start)) s"
