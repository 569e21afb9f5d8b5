#!/bin/sh
# Runs the tests test-NAME.sh of this directory, in order, each in a shell of its
# own, and prints a line for each. A test that wants a reboot calls "reboot_now",
# and is called again after it with $AFTER_REBOOT set.
set -u
state=/var/results/state
mkdir -p $state
# shellcheck source=/dev/null
. /payload/lib.sh

wanted=$(cat /payload/tests)
status=0
if [ ! -e $state/installed ]; then
	prepare || exit 1
	touch $state/installed
fi
for test in /payload/test-*.sh; do
	name=${test#/payload/test-}
	name=${name%.sh}
	[ ! -e "$state/$name.done" ] || continue
	case " ${wanted:-$name} " in *" $name "*) ;; *) continue ;; esac
	AFTER_REBOOT=''
	[ ! -e "$state/$name.rebooted" ] || AFTER_REBOOT=yes
	export AFTER_REBOOT
	began=$(date +%s)
	timeout 400 sh -eu -c ". /payload/lib.sh; . $test" >"/var/results/$name.txt" 2>&1
	result=$?
	if [ $result = 77 ]; then
		touch "$state/$name.rebooted"
		touch /var/reboot
		exit 0
	fi
	touch "$state/$name.done"
	if [ $result = 0 ]; then
		echo "--- PASS: $name ($(($(date +%s) - began))s)"
	else
		echo "--- FAIL: $name ($(($(date +%s) - began))s)"
		sed 's/^/    /' "/var/results/$name.txt" | tail -n 40
		touch $state/failed
	fi
done
[ ! -e $state/failed ] || status=1
exit $status
