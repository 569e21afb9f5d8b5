#!/bin/sh
# image.sh [KIND...]: makes our container images and runs each with an OCI runtime: as any
# user, with a read-only root, no capability and a network of its own. It checks the answer,
# the log, the health check, zombies, a killed spawner, and that SIGTERM waits for a request.
# Needs root, and mmdebstrap, umoci and runc, which it installs on Debian.
#
#   RUNTIME  the OCI runtime (runc); crun knows no hybrid cgroups
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- ruby python node
runtime=${RUNTIME:-runc}
[ "$(id -u)" = 0 ] || { echo "image.sh: only root makes a base and runs a container; run it as root" >&2 && exit 1; }
for program in mmdebstrap umoci "$runtime" python3 nsenter curl; do
	command -v "$program" >/dev/null || missing="${missing-} $program"
done
if [ -n "${missing-}" ]; then
	echo "image.sh: installing$missing"
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mmdebstrap umoci "$runtime" python3 util-linux curl >/dev/null
fi
work=$(mktemp -d)
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
id=''

# shellcheck disable=SC2317 # the trap calls it
cleanup() {
	[ -z "$id" ] || "$runtime" --root "$work/state" delete --force "$id" 2>/dev/null || true
	rm -rf --one-file-system "$work"
}

die() {
	echo "FAIL  $kind: $*"
	tail -n 20 "$work/out" "$work/err"
	exit 1
}

# await COMMAND… waits until it succeeds.
await() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || die "not within a minute: $*"
		sleep 0.1
	done
}

inside() { "$runtime" --root "$work/state" exec "$id" "$@"; }
get() { nsenter -n -t "$pid" curl -sS --max-time 60 "http://127.0.0.1:3000$1"; }

# no_zombies: none in the container, where process 1 is ours to reap for.
no_zombies() { inside sh -c '! grep -l "^State:.Z" /proc/[0-9]*/status'; }

# in_flight: the slow request has come to the app.
in_flight() { inside passenger-status requests | grep -q /slow; }

log_has() { grep -q "$1" "$work/out"; }

# another_spawner: one runs that is not the one that was killed.
another_spawner() { [ "$(inside cat /run/passenger/state/spawn.lock)" != "$spawner" ] && inside passenger-status; }

for kind; do [ "$kind" != programs ] || { echo "image.sh: the programs alone are no container" >&2 && exit 2; }; done
lib/dist/image/build.sh "$work/images" "$@" >/dev/null
for kind; do
	id=passenger-test-$kind-$$
	umoci unpack --image "$work/images/oci:$kind" "$work/$kind" >/dev/null
	python3 testscripts/image/bundle.py "$work/$kind/config.json" "$PWD/testscripts/image/$kind"
	"$runtime" --root "$work/state" run --bundle "$work/$kind" "$id" >"$work/out" 2>"$work/err" </dev/null &
	container=$!
	await log_has '"message":"serving /app '
	pid=$("$runtime" --root "$work/state" state "$id" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
	nsenter -n -t "$pid" ip link set lo up
	[ "$(get /)" = "hello from $kind as 12345" ] || die "got another page: $(get /)"
	inside sh -c 'touch /app/x /usr/x 2>/dev/null || touch /x' 2>/dev/null && die "the root can be written to"
	health=$(python3 testscripts/image/bundle.py --health "$work/images/passenger-$kind.tar")
	inside sh -c "$health" >/dev/null || die "the health check fails: $health"

	# What nobody waits for falls to process 1, which reaps it; a killed spawner too.
	inside sh -c 'for i in 1 2 3 4 5 6 7 8 9; do (setsid true &); done'
	await no_zombies
	spawner=$(inside cat /run/passenger/state/spawn.lock)
	inside sh -c "kill -9 $spawner"
	await another_spawner
	await no_zombies
	[ "$(get /)" = "hello from $kind as 12345" ] || die "no page after the death of the spawner"

	# SIGTERM waits for the request that is there.
	get /slow >"$work/slow" &
	slow=$!
	await in_flight
	"$runtime" --root "$work/state" kill "$id" TERM
	await log_has '"message":"stopping: '
	inside touch /tmp/go
	wait "$slow" || die "the request in flight failed"
	grep -q "hello from $kind" "$work/slow" || die "the request in flight got another answer: $(cat "$work/slow")"
	status=0
	wait "$container" || status=$?
	id=''
	[ $status = 0 ] || die "SIGTERM ended process 1 with status $status"
	[ ! -s "$work/err" ] || die "it wrote to standard error"
	python3 -c 'import json, sys; [json.loads(line)["message"] for line in sys.stdin]' <"$work/out" || die "its log is not all JSON"
	log_has '"message":"proxy stopped"' || die "the proxy did not stop in order"
	echo "ok    $kind: $(stat -c %s "$work/images/passenger-$kind.tar") bytes; read-only root, user 12345, no zombies, JSON log, SIGTERM waited"
done
