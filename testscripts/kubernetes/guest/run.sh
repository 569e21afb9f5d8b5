#!/bin/sh
# Runs in the machine: starts Kubernetes on it, then the tests test-NAME.sh of this
# directory, in the order that was asked for, each in a shell of its own, and prints a
# line for each.
set -u
# shellcheck source=/dev/null
. /payload/lib.sh

began=$(date +%s)
# The cluster is begun without -e; each step that others need waits for its success.
if ! (start_cluster) >/var/results/cluster.txt 2>&1; then
	echo "--- FAIL: cluster"
	sed 's/^/    /' /var/results/cluster.txt | tail -n 60
	for unit in api cm sched kubelet kproxy containerd etcdk; do journalctl -u $unit --no-pager | tail -n 5 | cut -c 1-300; done
	exit 1
fi
echo "--- PASS: cluster ($(($(date +%s) - began))s)"
status=0
wanted=$(cat /payload/tests)
for name in ${wanted:-$(cd /payload && printf '%s\n' test-*.sh | sed 's/^test-//; s/\.sh$//')}; do
	began=$(date +%s)
	if timeout 2400 sh -eu -c ". /payload/lib.sh; . /payload/test-$name.sh" >"/var/results/$name.txt" 2>&1; then
		echo "--- PASS: $name ($(($(date +%s) - began))s)"
		sed -n 's/^= /    /p' "/var/results/$name.txt"
	else
		echo "--- FAIL: $name ($(($(date +%s) - began))s)"
		sed 's/^/    /' "/var/results/$name.txt" | tail -n 50
		status=1
	fi
done
exit $status
