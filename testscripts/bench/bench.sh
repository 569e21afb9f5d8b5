#!/bin/sh
# bench.sh [ROW…]: measures this project and its peers beside each other and
# prints one table. It installs the peers when it is root on Debian; else it
# says what is missing and fails.
#
# BENCH_SECONDS (5) is the length of one measurement, BENCH_ROUNDS (3) how many
# there are of each server.

set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
packages='nginx-light passenger puma gunicorn uwsgi uwsgi-plugin-python3 wrk nghttp2-client
	ruby ruby-rack ruby-rails bundler python3 nodejs'

# has PACKAGE: it is installed. Node.js may come from elsewhere than Debian.
has() {
	case $1 in
	nodejs) [ -x /usr/bin/node ] ;;
	nginx-light) [ -x /usr/sbin/nginx ] ;;
	*) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
	esac
}

missing() {
	for p in $packages; do
		has "$p" || printf ' %s' "$p"
	done
}

install_peers() {
	command -v dpkg-query >/dev/null || {
		echo "bench: error: the peers come from Debian's packages, and this is no Debian" >&2
		exit 1
	}
	need=$(missing)
	[ -n "$need" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "bench: error: missing packages:$need" >&2
		echo "bench: hint: run \"apt-get install --no-install-recommends$need\" as root" >&2
		exit 1
	fi
	echo "bench: installing$need" >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq >&2
	# shellcheck disable=SC2086 # the packages are words
	apt-get install -qq -y --no-install-recommends $need >&2
	need=$(missing)
	[ -z "$need" ] || {
		echo "bench: error: apt-get did not install$need" >&2
		exit 1
	}
}

install_peers
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$root"
for program in spawn pool proxy status; do
	go build -o "$tmp/passenger-$program" "./cmd/passenger-$program"
done
go build -o "$tmp/bench" ./testscripts/bench

# The program stops what it started when it is told to end; wait for that.
child=''
trap 'if [ -n "$child" ]; then kill -TERM "$child"; fi' INT TERM HUP
"$tmp/bench" -root "$root" -bin "$tmp" -duration "${BENCH_SECONDS:-5}s" -rounds "${BENCH_ROUNDS:-3}" "$@" &
child=$!
status=0
wait "$child" || status=$?
if kill -0 "$child" 2>/dev/null; then # a signal ended the first wait
	status=0
	wait "$child" || status=$?
fi
exit "$status"
