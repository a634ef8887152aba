# SPDX-License-Identifier: BSD-3-Clause
#
# The common part of the scripts about building and installing; they source it. In addition to the
# common part of all scripts it has an empty folder $work, which is removed at exit, and:
#   install_to PREFIX [VARIABLE=VALUE...]   installs the variant under test
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

: "${SOURCE:=$(realpath "$(dirname "$0")/../..")}" "${BUILD:=$SOURCE/build/release}" "${CC:=cc}"

work=$(mktemp -d "${TMPDIR:-/tmp}/pmembuild.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Keeps the variables of the make that runs the tests, but not its job server.
MAKEFLAGS=$(sed -E 's/(^| )-j[0-9]*//g; s/--jobserver-[a-z]*=[^ ]*//g' <<<"${MAKEFLAGS:-}")
export MAKEFLAGS

run_make()
{
	make -s --no-print-directory -C "$SOURCE" "$@" >"$work/make.log" 2>&1 ||
		{ cat "$work/make.log"; fail "make $*"; }
}

install_to()
{
	local prefix=$1
	shift
	run_make install PREFIX="$prefix" LIBDIR="$prefix/lib" INCLUDEDIR="$prefix/include" \
		MANDIR="$prefix/share/man" BINDIR="$prefix/bin" DATADIR="$prefix/share" DESTDIR= "$@"
}

only_plain_variants()
{
	[ -z "${SAN:-}${CROSS:-}${COV:-}${DEBUG:-}" ] || skip "for plain variants only"
}
