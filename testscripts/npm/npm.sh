#!/bin/sh
# npm.sh: builds the applications of npm's frameworks, runs the scripts that
# serve them, with the Node.js that built them, and prints their table. Needs
# Go and npm, and the registry the first time. SCRIPTS is a pattern of what to
# run instead.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
built=$("$here/build.sh")
table=$(mktemp)
trap 'rm -f "$table"' EXIT
export PATH="$built/node/bin:$PATH" PASSENGER_TEST_NPM="$built" PASSENGER_TEST_TABLE="$table"
# shellcheck disable=SC2016 # for grep
scripts=${SCRIPTS:-$(cd "$here/.." && grep -l '\$NPM/' ./*.txtar | sed 's,^\./,,; s,\.txtar$,,' | paste -sd '|')}
failed=0
(cd "$here/.." && go test -count=1 -timeout 20m . -run "TestScripts/^($scripts)\$") || failed=1
echo
(echo "app start page form upload stream websocket preload restart stop" && sort "$table") |
	awk '{ printf "%-14s", $1; for (i = 2; i < NF; i++) printf "%-10s", $i; print $NF }'
echo "Node.js $(node --version)"
exit $failed
