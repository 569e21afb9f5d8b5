#!/bin/sh
# upgrade.sh: installs a newer package over an older one under load, on a copy of a
# Debian chroot, where "passenger start" runs the daemons, and counts what is lost:
# $RATE requests a second, over HTTP/1.1 on kept connections, over TLS and over
# HTTP/2, and $WEBSOCKETS WebSockets. Needs root and mmdebstrap. Nothing outside of
# temporary directories and namespaces is changed. To be run by hand: it needs a
# machine that bears the rate.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
SUITE=${SUITE:-trixie}
RATE=${RATE:-500}
WEBSOCKETS=${WEBSOCKETS:-200}

[ "$(id -u)" = 0 ] || { echo "upgrade.sh: only root works in a chroot; run it as root" >&2 && exit 1; }
root=$("$repo/testscripts/distros/chroot.sh" "$SUITE" table)
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM HUP

cd "$repo"
arch=$(dpkg --print-architecture)
for version in 1 2; do
	VERSION=0.1.0+$version lib/dist/package/build.sh "$work/$version" "$arch" >/dev/null
done
CGO_ENABLED=0 go build -o "$work/load" ./testscripts/vm/load
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=shop.test \
	-keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
chmod 644 "$work/key.pem" # the proxy is another user

# The rest happens in namespaces that end with it, on a copy of the chroot in memory.
exec 9<"$root/.used"
flock --shared 9
mkdir "$work/layers"
# shellcheck disable=SC2016 # for the shell inside
timeout 600 unshare --mount --net --pid --fork --kill-child --mount-proc sh -euc '
	work=$1 root=$2 repo=$3 rate=$4 websockets=$5
	mount --make-rprivate /
	ip link set lo up
	mount -t tmpfs tmpfs "$work/layers"
	mkdir "$work/layers/upper" "$work/layers/work" "$work/layers/root"
	at=$work/layers/root
	mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/layers/upper,workdir=$work/layers/work" "$at"
	mount -t proc proc "$at/proc"
	mount --rbind /dev "$at/dev"
	printf "#!/bin/sh\nexit 101\n" >"$at/usr/sbin/policy-rc.d"
	chmod 755 "$at/usr/sbin/policy-rc.d"
	mkdir -p "$at/payload"
	cp "$work"/1/*.deb "$at/payload/old.deb"
	cp "$work"/2/*.deb "$at/payload/new.deb"
	cp "$work/load" "$work/key.pem" "$work/cert.pem" "$repo/testscripts/vm/guest/upgrade" "$at/payload/"
	cp -r "$repo/testscripts/vm/guest/apps/shop" "$at/srv/shop"
	chown -R 5:60 "$at/srv/shop"
	chroot "$at" env -i PATH="$PATH" HOME=/root sh -eu /payload/upgrade "$rate" "$websockets"
' sh "$work" "$root" "$repo" "$RATE" "$WEBSOCKETS"
