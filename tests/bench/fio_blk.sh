#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A case for compare.sh: fio on a pool in DIR with the libraries of LD_LIBRARY_PATH.
#
#	fio_blk.sh DIR
set -eu
for size in 512 4096; do
	for rw in randread randwrite; do
		for jobs in 1 2; do
			rm -f "$1/fio.pool"
			fio --minimal --name=b --thread --numjobs=$jobs --group_reporting \
				--ioengine=pmemblk --filename="$1/fio.pool,$size,300" --bs=$size \
				--size=128M --rw=$rw --direct=1 --norandommap --time_based \
				--runtime=1s 2>/dev/null |
				awk -F';' -v name="fio-$rw/$size/$jobs" '
					NF > 50 { iops = $8 + $49; printf "%s,%.1f\n", name, 1e9 / iops }'
		done
	done
done
rm -f "$1/fio.pool"
