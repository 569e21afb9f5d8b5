#!/bin/sh
# image.sh SUITE [NAME SIZE PACKAGE...]: makes the disk of a virtual machine of that
# Debian suite, with systemd as process 1 and what apps need, and prints its directory.
# One with more packages has a name and a size of its own. It is kept in
# $XDG_CACHE_HOME/passenger/vm for four weeks. Needs root, mmdebstrap and mkfs.ext4.
set -eu
suite=$1
name=${2:-$suite}
size=${3:-2G}
shift $(($# < 3 ? $# : 3))
cache=${XDG_CACHE_HOME:-$HOME/.cache}/passenger/vm
image=$cache/$name
mkdir -p "$cache"

# One at a time: a second run waits for the first one's image.
exec 9>"$cache/.$name.lock"
flock 9
find "$image/base.img" -mtime +28 -delete 2>/dev/null || true
if [ -e "$image/base.img" ]; then
	echo "$image"
	exit
fi

here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$image"

# The mirror that this machine's apt uses.
mirror=${DEBIAN_MIRROR:-$(awk '/^URIs:/ { print $2; exit } /^deb / { print $2; exit }' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null)}
rackup=ruby-rackup
[ "$suite" != bookworm ] || rackup=ruby-webrick
more=$(printf ',%s' "$@")

# shellcheck disable=SC2016 # the hook runs elsewhere
mmdebstrap --quiet --variant=minbase --aptopt='APT::Sandbox::User "root"' --aptopt='APT::Install-Recommends "false"' \
	--include=systemd-sysv,systemd,udev,dbus,libpam-systemd,linux-image-cloud-amd64,initramfs-tools,zstd,procps,iproute2,curl,ruby,ruby-rack,$rackup,python3,nodejs"${more%,}" \
	--customize-hook="copy-in $here/guest/vmtest /usr/local/sbin" \
	--customize-hook="copy-in $here/guest/vmtest.service /etc/systemd/system" \
	--customize-hook='echo vm >"$1/etc/hostname"; for u in alice bob; do chroot "$1" useradd -m -s /bin/sh $u; done; rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*' \
	"$suite" "$work/root" "deb $mirror $suite main" >&2

cp "$work"/root/boot/vmlinuz-* "$image/vmlinuz"
cp "$work"/root/boot/initrd.img-* "$image/initrd"
mkfs.ext4 -q -F -E root_owner=0:0 -d "$work/root" "$image/base.img.new" "$size"
mv "$image/base.img.new" "$image/base.img"
echo "$image"
