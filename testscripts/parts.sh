#!/bin/sh
# parts.sh PART…: makes each part, a target of the Makefile, and prints at the
# end how each went, which tests passed only when they were run again, alone, and
# how many minutes it took. A part that fails does not keep those after it from
# being made, so that one run tells all that is wrong, but nothing is made without
# what "prepare" installs.
set -u
cd "$(dirname "$0")/.." || exit

RERUNS=$(mktemp)
export RERUNS
trap 'rm -f "$RERUNS"' EXIT

table=''
status=0
for part; do
	began=$(date +%s)
	outcome=passed
	: >"$RERUNS"
	"${MAKE:-make}" --no-print-directory "$part" || outcome=FAILED
	took=$(($(date +%s) - began))
	table="$table$(printf '%-12s %6d:%02d   %s' "$part" $((took / 60)) $((took % 60)) $outcome)
$(sed 's/^/                   run again: /' "$RERUNS")
"
	[ $outcome = passed ] && continue
	status=1
	[ "$part" != prepare ] || break
done

printf '\n%-12s %9s\n' part min:sec
printf '%s' "$table" | grep .
exit $status
