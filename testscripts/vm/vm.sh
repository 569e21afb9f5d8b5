#!/bin/sh
# vm.sh [SUITE...]: boots a virtual machine of each Debian suite, installs the
# package in it, runs the tests of guest/ there and prints their results. A
# machine has no network and no port, and its disk is thrown away. Needs root,
# qemu-system-x86, qemu-utils, mmdebstrap and e2fsprogs; no KVM.
#
#   VM_TESTS   names of tests to run, else all that are in guest/test-*.sh
#   VM_MINUTES time for the tests of one machine (20)
#   VM_RESULTS where journals and outputs go, else a directory that is named
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

for program in qemu-system-x86_64 qemu-img mmdebstrap mkfs.ext4; do
	command -v $program >/dev/null || {
		echo "vm: $program is missing; install qemu-system-x86, qemu-utils, mmdebstrap and e2fsprogs" >&2
		exit 1
	}
done
[ "$(id -u)" = 0 ] || { echo "vm: making an image needs root" >&2; exit 1; }

[ $# -gt 0 ] || set -- trixie bookworm
results=${VM_RESULTS:-$(mktemp -d)}
work=$(mktemp -d)
qemu=''
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
	[ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# The package, and one of a later version.
VERSION=0.1.0+1 lib/dist/package/build.sh "$work/old" amd64 >/dev/null
VERSION=0.1.0+2 lib/dist/package/build.sh "$work/new" amd64 >/dev/null
mkdir "$work/payload"
cp -r "$here"/guest/* "$work/payload"
cp "$work"/old/*.deb "$work/payload/old.deb"
cp "$work"/new/*.deb "$work/payload/new.deb"
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/payload/load" ./testscripts/vm/load
echo $((${VM_MINUTES:-20} * 60)) >"$work/payload/limit"
echo "${VM_TESTS:-}" >"$work/payload/tests"
mkfs.ext4 -q -F -O ^has_journal -d "$work/payload" "$work/payload.img" \
	$(($(du -sm "$work/payload" | cut -f 1) * 5 / 4 + 8))M >/dev/null

# shellcheck disable=SC1091 # it is beside this one
. "$here/boot.sh"

failed=0
for suite; do
	began=$(date +%s)
	image=$("$here/image.sh" "$suite")
	export image
	out=$results/$suite
	mkdir -p "$out"
	run_machine "$out" "${VM_MINUTES:-20}"
	seconds=$(($(date +%s) - began))
	if [ "${status:-125}" = 0 ]; then
		printf 'ok  \tvm/%s\t%ss\n' "$suite" $seconds
	else
		printf 'FAIL\tvm/%s\t%ss (status %s; journal and console in %s)\n' "$suite" $seconds "${status:-none}" "$out"
		failed=1
	fi
done
exit $failed
