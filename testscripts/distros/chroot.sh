#!/bin/sh
# chroot.sh SUITE SET…: makes a directory with Debian SUITE and the packages of
# the sets, unless there is one that is less than a week old, and prints its
# path. It lies below $XDG_CACHE_HOME. Needs root and mmdebstrap.
#
# Its file ".used" is locked (shared) by those who work in the directory: it is
# not made anew beneath them.
set -eu

# packages SET prints the packages of a set, for $suite.
packages() {
	case $1 in
	table) # what the rows of the table and the adapters' tests serve
		echo ca-certificates curl procps ruby bundler ruby-rack ruby-sinatra ruby-rails puma \
			python3 python3-flask python3-django gunicorn python3-uvicorn python3-hypercorn python3-daphne python3-fastapi python3-websockets nodejs
		[ "$suite" = bookworm ] || echo ruby-rackup
		;;
	scripts) # what the other scripts serve or call
		echo strace iproute2 git nginx-light apache2-bin \
			unicorn ruby-sqlite3 ruby-sequel
		;;
	applications) # those of the scripts beside this one
		echo rails ruby-sqlite3 redmine redmine-sqlite mailman3-web radicale bepasty python3-gevent
		;;
	peers) # those that bench.sh measures
		echo ca-certificates passenger nginx-light haproxy caddy puma ruby-rack ruby-rails bundler \
			gunicorn uwsgi-core uwsgi-plugin-python3 python3-uvicorn nodejs wrk nghttp2-client
		;;
	*) die "no set of packages is called $1" ;;
	esac
}

die() {
	echo "chroot.sh: $*" >&2
	exit 1
}

# try COMMAND… runs it until it succeeds: a mirror that fails may not a little later.
try() {
	for pause in 5 30 ''; do
		"$@" && return
		[ -z "$pause" ] || echo "chroot.sh: $suite: that failed; once more in $pause s" >&2
		sleep "${pause:-0}"
	done
	return 1
}

# apart COMMAND… runs it where no process and no mount outlives it. A mount of
# /dev that stayed would take the machine's along when the directory is removed.
apart() { timeout 1200 unshare --mount --pid --fork --kill-child --mount-proc -- "$@"; }

discard() { rm -rf --one-file-system "$@"; }

# Packages ask nothing, and leave the databases of applications to the scripts.
answers='redmine redmine/instances/default/dbconfig-install boolean false
mailman3-web mailman3-web/dbconfig-install boolean false
mailman3-web mailman3-web/superuser-password password secret
mailman3-web mailman3-web/configure-webserver select none'

# bootstrap makes $new.
bootstrap() {
	discard "$new"
	mkdir "$new"
	# shellcheck disable=SC2016 # for the shell of the hook
	answers=$answers apart mmdebstrap --essential-hook='echo "$answers" | chroot "$1" debconf-set-selections' --variant=minbase --quiet --aptopt='APT::Sandbox::User "root"' --aptopt='Acquire::Retries "3"' \
		--aptopt="Acquire::Check-Valid-Until \"$fresh\"" \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--include="$(paste -sd, "$wanted")" "$suite" "$new" "deb $mirror $suite main" >&2
}

# extend adds what is missing to $root.
extend() {
	# shellcheck disable=SC2016,SC2046 # for the shell inside; a list of words
	answers=$answers apart sh -euc '
		root=$1
		shift
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		cp /etc/resolv.conf "$root/etc/"
		export DEBIAN_FRONTEND=noninteractive
		printf "#!/bin/sh\nexit 101\n" >"$root/usr/sbin/policy-rc.d"
		chmod 755 "$root/usr/sbin/policy-rc.d"
		echo "$answers" | chroot "$root" debconf-set-selections
		chroot "$root" dpkg --configure -a
		chroot "$root" apt-get -qq update
		chroot "$root" apt-get -qq -y --no-install-recommends install "$@"
	' extend "$root" $(cat "$wanted") >/dev/null
}

# used waits until nobody works in $root.
used() {
	[ -e "$root/.used" ] || return 0
	flock --nonblock "$root/.used" true || {
		echo "chroot.sh: $suite: waiting for those who use it" >&2
		flock "$root/.used" true
	}
}

[ $# -ge 2 ] || die "usage: chroot.sh SUITE SET…"
suite=$1
shift
case $suite in
*[!a-z]*) die "this is no suite's name: $suite" ;;
esac
cache=${XDG_CACHE_HOME:-$HOME/.cache}/passenger/distros
root=$cache/$suite
new=$cache/.$suite.new
mkdir -p "$cache"
exec 9>"$cache/.$suite.lock"
flock 9
wanted=$(mktemp)
trap 'rm -f "$wanted"; discard "$new"' EXIT
for set; do packages "$set"; done | tr ' ' '\n' | sort -u >"$wanted"

# A week's packages serve for a week. What they are stands in the mark, which is
# taken away before anything is changed: what was left half made has none.
if [ -n "$(find "$root/.made" -mtime -7 2>/dev/null)" ]; then
	if [ -z "$(comm -23 "$wanted" "$root/.made")" ]; then
		echo "$root"
		exit
	fi
	used
	mv "$root/.made" "$root/.before"
	if try extend; then
		sort -u "$wanted" "$root/.before" >"$root/.made"
		touch -r "$root/.before" "$root/.made"
		echo "$root"
		exit
	fi
	echo "chroot.sh: $suite: nothing can be added to it; making it anew" >&2
fi

# What apt is configured with here serves the other suites, too: a mirror, and
# whether that mirror may stand still at a date (signatures are always checked).
mirror=${DEBIAN_MIRROR:-$(awk '/^URIs:/ { print $2; exit } /^deb / { print $2; exit }' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true)}
[ -n "$mirror" ] || die "no mirror: set DEBIAN_MIRROR, or configure apt"
fresh=true
eval "$(apt-config shell fresh Acquire::Check-Valid-Until)"
try bootstrap || die "$suite cannot be made from $mirror: what failed stands above; set DEBIAN_MIRROR to another mirror, or try again later"
chmod 755 "$new"
mkdir -p "$new/src" "$new/bin.tests"
cp "$wanted" "$new/.made"
touch "$new/.used"
used
discard "$root"
mv "$new" "$root"
echo "$root"
