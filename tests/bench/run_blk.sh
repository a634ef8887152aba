#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Block pools beside the original's, in one run, and beside the bare loops that are their limit.
# Writes $BUILD/bench/blk*.csv, and with gnuplot an SVG chart of the ratios.
#
# PAIRS [5] and SECONDS_EACH [0.4] set the effort, DISK [/var/tmp] is a folder on an ordinary file
# system; THREADS ["1 2", and 4 8 16 where there are so many CPUs].
set -eu
here=$(realpath "$(dirname "$0")")
: "${BUILD:?}" "${PAIRS:=5}" "${SECONDS_EACH:=0.4}" "${DISK:=/var/tmp}"
if [ -z "${THREADS:-}" ]; then
	THREADS="1 2"
	for n in 4 8 16; do
		if [ "$(nproc)" -ge $n ]; then THREADS="$THREADS $n"; fi
	done
fi
out=$BUILD/bench
mkdir -p "$out"
export OURS=$BUILD/lib
program=$BUILD/tests/bench/bench_blk
shm=$(mktemp -d /dev/shm/pmembench.XXXXXX)
disk=$(mktemp -d "$DISK/pmembench.XXXXXX")
trap 'rm -rf "$shm" "$disk"' EXIT

cases=()
for size in 512 520 4096 65536; do
	for threads in $THREADS; do
		for op in read write mix zero; do
			cases+=("$op/$size/$threads")
		done
	done
	cases+=("limit-read/$size" "limit-write/$size")
done
cases+=(first/512 first/4096 open/512 open/4096 check/512)

echo "pools on persistent memory (/dev/shm with PMEM_IS_PMEM_FORCE=1), nanoseconds:"
PMEM_IS_PMEM_FORCE=1 "$here/compare.sh" "$out/blk.csv" "$PAIRS" "$program" "$shm" \
	"$SECONDS_EACH" "${cases[@]}"

echo
echo "our time / bare loop (medians):"
awk -F, '
	$1 ~ /^limit-/ { limit[substr($1, 7)] = ($2 + $3) / 2 }
	{ ours[$1] = $3 }
	END {
		for (name in ours) {
			if (name !~ /^(read|write)\/[0-9]+\/1$/)
				continue
			base = name
			sub(/\/1$/, "", base)
			printf "%-16s %.2f\n", name, ours[name] / limit[base]
		}
	}' "$out/blk.csv" | sort

echo
echo "pools on an ordinary file ($DISK), nanoseconds:"
BENCH_DISK=1 "$here/compare.sh" "$out/blk-disk.csv" "$((PAIRS / 2 + 1))" "$program" "$disk" 2 \
	write/4096/1 write/4096/8 limit-file
"$here/durable_updates.sh" "$disk" || true

if command -v fio >/dev/null; then
	echo
	echo "through fio's pmemblk engine, nanoseconds for each block and thread:"
	PMEM_IS_PMEM_FORCE=1 "$here/compare.sh" "$out/blk-fio.csv" "$((PAIRS / 2 + 1))" \
		"$here/fio_blk.sh" "$shm"
fi

if command -v gnuplot >/dev/null; then
	"$here/chart.sh" "$out/blk.csv" "$out/blk.svg" '^(read|write|mix)/' \
		'Block pools: original time / our time'
fi
