#!/bin/sh
# hosts.sh [SCENARIO…]: runs hosts.py with the programs of this checkout. It needs root,
# iproute2, haproxy and python3, and changes nothing outside its namespaces.
set -eu
[ "$(id -u)" = 0 ] || { echo "hosts: this needs root, to make network namespaces" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
for program in haproxy ip unshare nsenter python3; do
	command -v "$program" >/dev/null || { echo "hosts: $program is missing; see testscripts/prepare.sh" >&2; exit 1; }
done
dir=$(mktemp -d /tmp/hosts.XXXXXX)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin"
(cd "$here/../.." && go build -o "$dir/bin" ./cmd/...)
PATH=$dir/bin:$PATH unshare --net python3 "$here/hosts.py" "$dir" "$here/../apps/wsgi" "$@" || {
	tail -n 20 "$dir"/*.log >&2
	exit 1
}
