#!/bin/sh
# chroot.sh SUITE: makes a directory with Debian SUITE and the frameworks that
# the tests serve, unless there is one that is less than a week old, and prints
# its path. It lies below $XDG_CACHE_HOME. Needs root and mmdebstrap.
set -eu
suite=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/passenger/distros
root=$cache/$suite

packages='ca-certificates curl procps strace iproute2 git
	ruby bundler ruby-rack ruby-sinatra ruby-rails puma unicorn ruby-sqlite3 ruby-sequel
	python3 python3-flask python3-django gunicorn
	python3-uvicorn python3-hypercorn python3-daphne python3-fastapi python3-websockets
	nodejs nginx-light apache2-bin'
case $suite in
bookworm) ;;
*) packages="$packages ruby-rackup uwsgi-core uwsgi-plugin-python3" ;;
esac

# The tests of a new week see the packages of that week.
# shellcheck disable=SC2086 # a list of words
packages=$(echo $packages | tr ' ' ,)
if [ -n "$(find "$root/.made" -mtime -7 2>/dev/null)" ] && [ "$(cat "$root/.made")" = "$packages" ]; then
	echo "$root"
	exit 0
fi
# What apt is configured with here serves the other suites, too: a mirror, and
# whether that mirror may stand still at a date (signatures are always checked).
mirror=${DEBIAN_MIRROR:-$(awk '/^URIs:/ { print $2; exit } /^deb / { print $2; exit }' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true)}
[ -n "$mirror" ] || {
	echo "chroot.sh: no mirror: set DEBIAN_MIRROR, or configure apt" >&2
	exit 1
}
fresh=true
eval "$(apt-config shell fresh Acquire::Check-Valid-Until)"
mkdir -p "$cache"
new=$(mktemp -d "$cache/.$suite-XXXXXX")
trap 'rm -rf "$new"' EXIT
timeout 1200 mmdebstrap --variant=minbase --quiet --aptopt='APT::Sandbox::User "root"' \
	--aptopt="Acquire::Check-Valid-Until \"$fresh\"" \
	--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--include="$packages" "$suite" "$new" "deb $mirror $suite main" >&2
mkdir -p "$new/src" "$new/bin.tests"
echo "$packages" >"$new/.made"
rm -rf "$root"
mv "$new" "$root"
chmod 755 "$root"
trap - EXIT
echo "$root"
