#!/bin/sh
# bench.sh [ROW…]: measures this project and its peers beside each other and
# prints one table. It installs the peers when it is root on Debian; else it
# says what is missing and fails.
#
# BENCH_SECONDS (2) is the length of one measurement, BENCH_ROUNDS (5) how many
# there are of each server; all rows take half an hour so. SUITE=forky measures the peers of that suite of
# Debian, in its chroot (see distros/chroot.sh); needs root.

set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
packages='nginx-light caddy haproxy passenger puma gunicorn uwsgi uwsgi-plugin-python3 wrk nghttp2-client
	ruby ruby-rack ruby-rails bundler python3 python3-uvicorn nodejs'

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

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$root"
chroot=''
if [ -n "${SUITE:-}" ]; then
	chroot=$(testscripts/distros/chroot.sh "$SUITE" peers)
else
	install_peers
fi
mkdir "$tmp/bin"
for program in spawn pool proxy status; do
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$tmp/bin/passenger-$program" "./cmd/passenger-$program" # as "make build" does
done
CGO_ENABLED=0 go build -o "$tmp/bin/bench" ./testscripts/bench

# inside runs bench in the chroot, in a mount and pid namespace of its own: what
# Passenger leaves running ends with it.
# shellcheck disable=SC2016 # for the shell inside
inside() {
	mkdir "$tmp/src"
	tar -cf - testscripts/bench lib/dist | tar -C "$tmp/src" -xf -
	exec flock --shared "$chroot/.used" unshare --mount --pid --fork --kill-child -- sh -euc '
		root=$1 tmp=$2
		shift 2
		mount --make-rprivate /
		mount -t proc proc "$root/proc"
		mount --rbind /sys "$root/sys"
		mount --rbind /dev "$root/dev"
		mount -t tmpfs tmpfs "$root/tmp"
		mount -t tmpfs tmpfs "$root/run"
		mount --bind "$tmp/src" "$root/src"
		mount --bind "$tmp/bin" "$root/bin.tests"
		exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 /bin.tests/bench -root /src -bin /bin.tests "$@"
	' inside "$chroot" "$tmp" "$@"
}

# The program stops what it started when it is told to end; wait for that.
child=''
trap 'if [ -n "$child" ]; then kill -TERM "$child"; fi' INT TERM HUP
set -- -duration "${BENCH_SECONDS:-2}s" -rounds "${BENCH_ROUNDS:-5}" "$@"
if [ -n "$chroot" ]; then
	commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
	[ -z "$(git status --porcelain 2>/dev/null)" ] || commit="$commit with changes"
	inside -commit "$commit, on Debian $SUITE" "$@" &
else
	"$tmp/bin/bench" -root "$root" -bin "$tmp/bin" "$@" &
fi
child=$!
status=0
wait "$child" || status=$?
if kill -0 "$child" 2>/dev/null; then # a signal ended the first wait
	status=0
	wait "$child" || status=$?
fi
exit "$status"
