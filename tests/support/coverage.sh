#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# usage: coverage.sh BUILD-FOLDER
# The share of lines that the tests have reached, per source file, worst first, and in all.
# The annotated sources are left in BUILD-FOLDER/coverage.
set -eu
build=$(realpath "$1")
top=$PWD
mkdir -p "$build/coverage"
cd "$build/coverage"
find "$build/obj/src" -name '*.gcda' | while read -r data; do
	(cd "$top" && "${GCOV:-gcov}" -r -p -o "$(dirname "$data")" "$data")
	mv "$top"/*.gcov . 2>/dev/null || true
done | awk '
	/^File / { file = $2; gsub(/\047/, "", file) }
	/^Lines executed:/ && file ~ /^src\// {
		split($0, f, /[:% ]+/)
		printf "%6.1f %% of %4d  %s\n", f[3], f[5], file
		lines += f[5]; hit += f[3] * f[5] / 100
		file = ""
	}
	END { printf "%6.1f %% of %4d  in all\n", lines ? 100 * hit / lines : 0, lines }' | sort -n
