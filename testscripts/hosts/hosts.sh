#!/bin/sh
# hosts.sh [CASE…]: runs hosts.py with the programs of this checkout. It needs root,
# iproute2, haproxy, openssl, python3 and ruby with rack, and changes nothing outside its
# namespaces. All cases take 12 minutes; HOSTS_RATE is how many requests a second
# there are (300), and HOSTS_STEADY for how many seconds the closed loop is watched (300).
set -eu
[ "$(id -u)" = 0 ] || { echo "hosts: this needs root, to make network namespaces" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
for program in haproxy ip unshare nsenter openssl python3 ruby; do
	command -v "$program" >/dev/null || { echo "hosts: $program is missing; see testscripts/prepare.sh" >&2; exit 1; }
done
dir=$(mktemp -d /tmp/hosts.XXXXXX)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin"
(cd "$here/../.." && go build -o "$dir/bin" ./cmd/... ./testscripts/vm/load)
# What it leaves, whatever ends it, ends with its namespace of processes.
PATH=$dir/bin:$PATH unshare --net --pid --fork --kill-child --mount-proc python3 "$here/hosts.py" "$dir" "$here/app" "$@" || {
	find "$dir" -maxdepth 1 -name '*.log' -exec tail -v -n 20 {} + >&2
	exit 1
}
