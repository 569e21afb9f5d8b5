#!/bin/sh
# distros.sh SUITE…: runs the tests that concern applications and adapters
# inside a chroot of each Debian suite, with that suite's runtimes and
# frameworks, and prints two tables: what each application does on each suite,
# and how long the parts took. The programs and the tests come from outside,
# without a library of the system's. Needs root, mmdebstrap and Go.
#
# SHORT=yes leaves out all scripts but those of the frameworks' rows. SCRIPTS and
# ADAPTERS are patterns of what to run instead, KEEP a directory for the whole
# output, LIMIT the seconds for each suite.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)

# What concerns an app: how it starts, serves, fails to start, and is replaced.
scripts='^(asgi|debian|fork|front_(apache|nginx)|hijack|hooks|limit_memory|limit_oob_work|notify|output(_log)?$|proxy_sendfile|refork|deploy_broken|deploy_rolling|scale_spare|serve|spawn_error|spawn_ports|stack|static|stock|threads|websockets|wrapper_start)'
sets='table scripts applications'
if [ -n "${SHORT:-}" ]; then
	scripts='^stack_'
	sets=table
fi
scripts=${SCRIPTS:-$scripts}
adapters=${ADAPTERS:-.}

for needed in mmdebstrap unshare go; do
	command -v "$needed" >/dev/null || {
		echo "distros.sh: $needed is missing; on Debian \"testscripts/prepare.sh\" installs it" >&2
		exit 1
	}
done
[ "$(id -u)" = 0 ] || {
	echo "distros.sh: only root makes a chroot; run it as root, as in a container of Debian 12" >&2
	exit 1
}

work=$(mktemp -d)
makers=''
# shellcheck disable=SC2086 # pids
trap '[ -z "$makers" ] || kill $makers 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
part() { echo "$1 $(($(date +%s) - $2))" >>"$work/parts"; }

# All chroots are made at once, since each waits for the mirror, while the
# programs are built.
for suite; do
	(
		began=$(date +%s)
		# shellcheck disable=SC2086 # a list of words
		"$here/chroot.sh" "$suite" $sets >"$work/$suite.root" 2>"$work/$suite.err" || rm "$work/$suite.root"
		part "chroot-of-$suite" "$began"
	) &
	makers="$makers $!"
done
began=$(date +%s)
mkdir "$work/bin"
(cd "$repo" && for dir in testscripts lib/adapter; do
	CGO_ENABLED=0 go test -c -o "$work/bin/$(basename "$dir").test" "./$dir"
done && CGO_ENABLED=0 go build -o "$work/bin/" ./cmd/... ./testscripts/apps/generic-port ./testscripts/apps/generic-fds &&
	CGO_ENABLED=0 go build -o "$work/bin/passenger-demo" ./lib/dist/demo)
install -m 755 "$repo/lib/dist/passenger" "$repo/lib/dist/passenger-config" "$work/bin/"
part building "$began"

# inside ROOT: runs the tests of a suite in a mount and pid namespace of its own,
# so that nothing is left mounted or running. They get a copy of the sources:
# Bundler writes into an app, and one suite's versions are wrong in the next.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
inside() {
	rm -rf "$work/src" && mkdir "$work/src"
	tar -C "$repo" --exclude=Gemfile.lock --exclude=__pycache__ -cf - testscripts lib/adapter lib/dist | tar -C "$work/src" -xf -
	flock --shared "$1/.used" timeout "${LIMIT:-1800}" unshare --mount --pid --fork --kill-child -- sh -eu -c '
		root=$1 work=$2
		mount --make-rprivate /
		mount -t proc proc "$root/proc"
		mount --rbind /sys "$root/sys"
		mount --rbind /dev "$root/dev"
		mount -t tmpfs tmpfs "$root/tmp"
		mount -t tmpfs tmpfs "$root/run"
		mount --bind "$work/src" "$root/src"
		mount --bind "$work/bin" "$root/bin.tests"
		[ -z "${NPM:-}" ] || { mkdir -p "$root/npm" && mount --bind "$NPM" "$root/npm"; }
		exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
			CI="${CI:-}" PASSENGER_TEST_BIN=/bin.tests PASSENGER_TEST_TABLE=/src/table PASSENGER_TEST_NPM=/npm SCRIPTS="$3" ADAPTERS="$4" sh -c "
				status=0
				cd /src/lib/adapter && /bin.tests/adapter.test -test.v -test.timeout 10m -test.run \"\$ADAPTERS\" || status=1
				cd /src/testscripts && /bin.tests/testscripts.test -distros -test.v -test.timeout 20m -test.run \"TestScripts/\$SCRIPTS\" || status=1
				exit \$status
			"
	' inside "$1" "$work" "$scripts" "$adapters"
}

# rows SUITE prints the suite's rows of the table. A script without one ended
# before its app did.
rows() {
	for script in "$repo"/testscripts/stack_*.txtar "$here"/*.txtar; do
		[ -e "$script" ] || continue
		name=$(basename "$script" .txtar)
		grep -q "^=== RUN .*TestScripts/$name\$" "$work/log" || continue
		! grep -q "^ *--- SKIP: TestScripts/$name " "$work/log" || continue
		grep "^${name#*_} " "$work/src/table" 2>/dev/null || echo "${name#*_} NO"
	done | sed "s/^/$1 /"
}

# versions ROOT prints what the suite has of those that matter.
versions() {
	# shellcheck disable=SC2016 # for dpkg-query
	chroot "$1" dpkg-query -W -f '${Package} ${Version}\n' ruby ruby-rails ruby-rack ruby-sinatra puma python3 python3-django python3-flask \
		python3-fastapi gunicorn python3-uvicorn nodejs redmine mailman3-web radicale bepasty 2>/dev/null |
		sed '/ $/d; s/^ruby-//; s/^python3-//; s/ [0-9]*:/ /; s/ \([^+~-]*\).*/ \1/' | tr '\n' ',' | sed 's/,$//; s/,/, /g'
}

failed=0
# The applications of npm's frameworks are built here: the suites have no npm.
[ -n "${SHORT:-}" ] || NPM=$("$here/../npm/build.sh") || failed=1
export NPM="${NPM:-}"
echo "suite app start page form upload stream websocket preload restart stop" >"$work/table"
# shellcheck disable=SC2086 # pids
wait $makers
makers=''
for suite; do
	[ -s "$work/$suite.root" ] || {
		cat "$work/$suite.err" >&2
		echo "$suite: there is no chroot of it, so nothing was tested"
		failed=1
		continue
	}
	began=$(date +%s)
	root=$(cat "$work/$suite.root")
	inside "$root" >"$work/log" 2>&1 || {
		failed=1
		grep -E -A 10 '^ *--- FAIL|^panic:' "$work/log" || true
		tail -n 200 "$work/log"
	}
	part "tests-on-$suite" "$began"
	[ -z "${KEEP:-}" ] || cp "$work/log" "$KEEP/$suite.log"
	rows "$suite" >>"$work/table"
	count() { grep -c "^ *--- $1" "$work/log" || true; }
	echo "$suite: $(count PASS) passed, $(count FAIL) failed, $(count SKIP) skipped; $(versions "$root")"
done
echo
awk '{ for (i = 1; i < NF; i++) printf((i == 2 ? "%-16s" : "%-10s"), $i); print $NF }' "$work/table"
echo
awk '{ gsub("-", " ", $1); printf "%-22s%6.1f min\n", $1, $2 / 60 }' "$work/parts"
exit $failed
