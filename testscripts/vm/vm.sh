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
	[ -z "$qemu" ] || kill -9 "$qemu" 2>/dev/null || true
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

# boot DIR: boots until the machine powers off; the tests may reboot it.
boot() {
	rm -f "$1/output.txt"
	timeout -k 5 $((${VM_MINUTES:-20} * 60 + 300)) qemu-system-x86_64 -accel tcg,thread=multi -cpu max \
		-m "${VM_MEMORY:-2048}" -smp "${VM_CPUS:-2}" -kernel "$image/vmlinuz" -initrd "$image/initrd" \
		-append "root=/dev/vda rw console=ttyS0 quiet systemd.unit=vmtest.service systemd.show_status=false" \
		-drive "file=$work/disk.qcow2,if=virtio,cache=unsafe" \
		-drive "file=$work/payload.img,if=virtio,format=raw,readonly=on" \
		-drive "file=$work/results.tar,if=virtio,format=raw,cache=unsafe" \
		-device virtio-rng-pci -nic none -display none -monitor none \
		-serial "file:$1/console.txt" -serial "file:$1/output.txt" </dev/null &
	qemu=$!
	# The emulated kernel is lost early in its boot now and then.
	while kill -0 $qemu 2>/dev/null; do
		sleep 1
		if grep -q 'Kernel panic' "$1/console.txt" 2>/dev/null; then
			kill -9 $qemu
			wait $qemu || true
			return 1
		fi
	done
	wait $qemu || true
}

failed=0
for suite; do
	began=$(date +%s)
	image=$("$here/image.sh" "$suite")
	out=$results/$suite
	mkdir -p "$out"
	truncate -s 64M "$work/results.tar"
	for try in 1 2 3; do
		qemu-img create -q -f qcow2 -F raw -b "$image/base.img" "$work/disk.qcow2"
		boot "$out" && break
		echo "vm: the kernel was lost in boot $try; once more" >&2
	done
	tar -C "$out" -xf "$work/results.tar" 2>/dev/null || true
	tr -d '\r' <"$out/output.txt" | grep -v '^VMTEST' || true
	status=$(sed -n 's/^VMTEST STATUS \([0-9]*\).*/\1/p' "$out/output.txt" | tail -n 1)
	seconds=$(($(date +%s) - began))
	if [ "${status:-125}" = 0 ]; then
		printf 'ok  \tvm/%s\t%ss\n' "$suite" $seconds
	else
		printf 'FAIL\tvm/%s\t%ss (status %s; journal and console in %s)\n' "$suite" $seconds "${status:-none}" "$out"
		failed=1
	fi
done
exit $failed
