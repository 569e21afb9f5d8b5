#!/bin/sh
# build.sh DIR [KIND...]: makes container images without a container engine, at the top
# of the checkout: the OCI layout DIR/oci and, for each kind, DIR/passenger-KIND.tar, a
# docker-archive. Kinds: programs (the static programs alone, for "COPY --from"), and
# ruby, python and node, which are Debian with that runtime. Those need root and
# mmdebstrap, and are for this machine's architecture.
#
#   DEBIAN_SUITE   the suite (trixie)
#   DEBIAN_MIRROR  where its packages come from, else what apt is configured with
#   APT_SOURCES    what an image's /etc/apt/sources.list says, else a comment
#   IMAGE          what the images are called (localhost/passenger)
#   VERSION        their version, which is also their tag after "KIND-"
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { echo "usage: build.sh DIR [KIND...]" >&2 && exit 2; }
out=$1
shift
[ $# -gt 0 ] || set -- programs ruby python node
suite=${DEBIAN_SUITE:-trixie}
name=${IMAGE:-localhost/passenger}
sources=${APT_SOURCES:-"# write here where packages come from, as in sources.list(5)"}
arch=$(go env GOARCH)
version=${VERSION:-0.1.0-$(git log -1 --format=%cd.%h --date=format:%Y%m%d%H%M%S 2>/dev/null || echo unknown)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
bases=${XDG_CACHE_HOME:-$HOME/.cache}/passenger/images
mkdir -p "$out" "$bases"

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM HUP

die() {
	echo "build.sh: $*" >&2
	exit 1
}

# packages KIND prints what its base has beside Debian's least.
packages() {
	echo ca-certificates
	case $1 in
	ruby) echo ruby bundler ruby-rack ruby-rackup ;;
	python) echo python3 python3-venv ;;
	node) echo nodejs ;;
	*) die "no kind of image is called $1; there are programs, ruby, python and node" ;;
	esac
}

# try COMMAND… runs it until it succeeds: a mirror that fails may not a little later.
try() {
	for pause in 5 30 ''; do
		"$@" && return
		[ -z "$pause" ] || echo "build.sh: that failed; once more in $pause s" >&2
		sleep "${pause:-0}"
	done
	return 1
}

# bootstrap KIND FILE makes the base of a kind, where no process and no mount outlives it.
bootstrap() {
	mirror=${DEBIAN_MIRROR:-$(awk '/^URIs:/ { print $2; exit } /^deb / { print $2; exit }' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true)}
	[ -n "$mirror" ] || die "no mirror: set DEBIAN_MIRROR, or configure apt"
	fresh=true
	eval "$(apt-config shell fresh Acquire::Check-Valid-Until)"
	rm -f "$2"
	# An image does not name the mirror of the machine that made it.
	# shellcheck disable=SC2016 # for the shell of the hook
	env TMPDIR="$work" sources="$sources" timeout 1200 unshare --mount --pid --fork --kill-child --mount-proc -- \
		mmdebstrap --variant=minbase --quiet --format=tar --skip=output/dev --aptopt='APT::Sandbox::User "root"' \
		--aptopt='Acquire::Retries "3"' --aptopt='APT::Install-Recommends "false"' --aptopt="Acquire::Check-Valid-Until \"$fresh\"" \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
		--customize-hook='echo "$sources" >"$1/etc/apt/sources.list"; rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/var/log/* "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1/etc/hostname" "$1/etc/resolv.conf"' \
		--include="$(packages "$1" | paste -sd, | tr ' ' ,)" "$suite" "$2" "deb $mirror $suite main" >&2
}

# recipe KIND prints what a base is made by.
recipe() { packages "$1" && echo "$sources"; }

# base KIND makes its base, unless there is one of this week by the same recipe.
base() {
	tar=$bases/$suite-$arch-$1.tar
	exec 9>"$tar.lock"
	flock 9
	[ -z "$(find "$tar" -mtime +7 2>/dev/null)" ] && [ "$(recipe "$1")" = "$(cat "$tar.recipe" 2>/dev/null)" ] && [ -e "$tar" ] && return
	[ "$(id -u)" = 0 ] || die "a base needs root to be made; \"build.sh $out programs\" does not"
	command -v mmdebstrap >/dev/null || die "mmdebstrap is missing; install it"
	rm -f "$tar.recipe"
	try bootstrap "$1" "$tar.new" || die "the base for $1 cannot be made: what failed stands above; set DEBIAN_MIRROR to another mirror, or try again later"
	mv "$tar.new" "$tar"
	recipe "$1" >"$tar.recipe"
}

for kind; do
	[ "$kind" = programs ] || packages "$kind" >/dev/null
done
mkdir "$work/programs"
for program in spawn pool proxy status; do
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X passenger/lib/cli.Release=$version" -o "$work/programs/" "./cmd/passenger-$program"
done
install -m 755 "$here/../passenger" "$here/../passenger-config" "$work/programs/"
CGO_ENABLED=0 go build -o "$work/image" ./lib/dist/image
for kind; do
	if [ "$kind" != programs ]; then
		base "$kind"
		set -- --base "$tar"
	else
		set --
	fi
	"$work/image" --name "$name:$kind" --kind "$kind" --version "$version" --arch "$arch" --created "$SOURCE_DATE_EPOCH" --programs "$work/programs" \
		"$@" --oci "$out/oci" --archive "$out/passenger-$kind.tar"
done
ls -l "$out"/passenger-*.tar
