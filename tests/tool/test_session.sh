#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The session with the tool that README.md shows goes exactly like that.
. "$(dirname "$0")/lib.sh"
cp "$SOURCE/LICENSE" "$work"
"$SOURCE/.ci/readme-block" 'The tool' >"$work/session" || fail "README.md shows no session"
sed -n 's/^\$ //p' "$work/session" >"$work/commands"
[ "$(wc -l <"$work/commands")" -ge 6 ] || fail "the session is too short"
pmemblk()
{
	tool "$@"
}
cd "$work"
while IFS= read -r command; do
	echo "\$ $command"
	eval "$command" 2>&1 </dev/null || true
done <commands >shown
diff session shown || fail "the session in README.md (left) goes like the right"
case_ok "the session in README.md ($(wc -l <commands) commands)"
