#!/bin/sh
# distros.sh SUITE…: runs the tests that concern applications and adapters
# inside a chroot of each Debian suite, with that suite's runtimes and
# frameworks, and prints one table. The programs and the tests come from
# outside, without a library of the system's. Needs root, mmdebstrap and Go.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)

# What concerns an app: how it starts, serves, fails to start, and is replaced.
scripts=${SCRIPTS:-'^(serve|stock|asgi|spawn_error|threads|refork|hooks|notify|restart_rolling|restart_broken|websockets|static|output|limit_memory|limit_oob_work|proxy_sendfile|scale_spare|wrapper_start)'}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$repo" && for dir in testscripts lib/adapter; do
	CGO_ENABLED=0 go test -c -o "$work/$(basename "$dir").test" "./$dir"
done && CGO_ENABLED=0 go build -o "$work/" ./cmd/... ./testscripts/apps/generic-port ./testscripts/apps/generic-fds &&
	CGO_ENABLED=0 go build -o "$work/passenger-demo" ./lib/dist/demo)
install -m 755 "$repo/lib/dist/passenger" "$repo/lib/dist/passenger-config" "$work/"

# inside SUITE ROOT: runs the tests of a suite in a mount and pid namespace of
# its own, so that nothing is left mounted or running.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
inside() {
	timeout "${LIMIT:-1800}" unshare --mount --pid --fork --kill-child -- sh -eu -c '
		root=$1 work=$2 repo=$3 scripts=$4
		mount --make-rprivate /
		mount -t proc proc "$root/proc"
		mount --rbind /sys "$root/sys"
		mount --rbind /dev "$root/dev"
		mount -t tmpfs tmpfs "$root/tmp"
		mount -t tmpfs tmpfs "$root/run"
		mount --bind "$repo" "$root/src"
		mount --bind "$work" "$root/bin.tests"
		ip link set lo up 2>/dev/null || true
		exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
			CI="${CI:-}" PASSENGER_TEST_BIN=/bin.tests sh -c "
				cd /src/lib/adapter && /bin.tests/adapter.test -test.v -test.timeout 15m
				cd /src/testscripts && /bin.tests/testscripts.test -test.v -test.timeout 25m -test.run \"TestScripts/$scripts\"
			"
	' inside "$2" "$work" "$repo" "$scripts"
}

failed=0
for suite in "$@"; do
	root=$("$here/chroot.sh" "$suite")
	inside "$suite" "$root" >"$work/$suite.log" 2>&1 || true
	passed=$(grep -c '^ *--- PASS' "$work/$suite.log" || true)
	bad=$(grep -c '^ *--- FAIL' "$work/$suite.log" || true)
	skipped=$(grep -c '^ *--- SKIP' "$work/$suite.log" || true)
	if [ "$bad" != 0 ] || [ "$passed" = 0 ]; then
		failed=1
		grep -E '^ *--- FAIL' "$work/$suite.log" || tail -n 20 "$work/$suite.log"
	fi
	[ -z "${KEEP:-}" ] || cp "$work/$suite.log" "$KEEP/"
	# shellcheck disable=SC2016 # for dpkg-query
	versions=$(chroot "$root" sh -c 'dpkg-query -W -f "\${Package} \${Version}\n" ruby rails ruby-rails puma ruby-sinatra python3 python3-django python3-flask gunicorn python3-uvicorn nodejs 2>/dev/null' | sed 's/-[^-]*$//; s/+.*//; s/^ruby-//; s/^python3-//' | tr '\n' ',' | sed 's/,$//; s/,/, /g')
	echo "$suite: $passed passed, $bad failed, $skipped skipped ($versions)"
done
exit $failed
