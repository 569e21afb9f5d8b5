# shellcheck shell=sh disable=SC2034,SC2154
# Booting a machine, for scripts that set $image, its directory, and $work, where
# disk.qcow2, payload.img and results.tar are, and that kill $qemu when they end.

# boot DIR MINUTES: boots until the machine powers off; the tests may reboot it. Fails
# if the kernel was lost.
boot() {
	rm -f "$1/output.txt"
	timeout -k 5 $(($2 * 60 + 300)) qemu-system-x86_64 -accel tcg,thread=multi -cpu max \
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
			kill $qemu # of timeout, which passes it on
			wait $qemu || true
			return 1
		fi
	done
	wait $qemu || true
}

# run_machine DIR MINUTES boots the image with the payload until it came to the tests,
# brings their results to DIR, prints what they said and sets status.
run_machine() {
	truncate -s 64M "$work/results.tar"
	for try in 1 2 3; do
		qemu-img create -q -f qcow2 -F raw -b "$image/base.img" "$work/disk.qcow2"
		boot "$1" "$2" && break
		echo "vm: the kernel was lost in boot $try; once more" >&2
	done
	tar -C "$1" -xf "$work/results.tar" 2>/dev/null || true
	tr -d '\r' <"$1/output.txt" | grep -v '^VMTEST' || true
	status=$(sed -n 's/^VMTEST STATUS \([0-9]*\).*/\1/p' "$1/output.txt" | tail -n 1)
}
