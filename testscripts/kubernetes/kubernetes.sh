#!/bin/sh
# kubernetes.sh: checks lib/dist/kubernetes against schemas, then on a real Kubernetes: its
# programs are compiled from their Go module, and serve in a virtual machine of one node, with
# our images and manifests and the tests of guest/. Needs root, qemu-system-x86, qemu-utils,
# mmdebstrap, e2fsprogs, openssl and ruby; no KVM and no registry. The first run compiles for
# 11 minutes on two idle cores; that is kept in $XDG_CACHE_HOME/passenger/kubernetes.
#
#   KUBERNETES_TESTS    names of tests to run, in that order, else all that are in guest/test-*.sh
#   KUBERNETES_MINUTES  time for them (90)
#   KUBERNETES_RESULTS  where journals and outputs go, else a directory that is named
#   KUBERNETES_BIN      where the programs are, if they are compiled already
#   VM_CPUS             emulated processors (1); two wait for each other where the machine
#                       has other work, and a pod took four minutes in the place of two
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
for program in qemu-system-x86_64 qemu-img mmdebstrap mkfs.ext4 openssl ruby; do
	command -v $program >/dev/null || {
		echo "kubernetes: $program is missing; install qemu-system-x86, qemu-utils, mmdebstrap, e2fsprogs, openssl and ruby" >&2
		exit 1
	}
done
[ "$(id -u)" = 0 ] || { echo "kubernetes: making an image needs root" >&2; exit 1; }
minutes=${KUBERNETES_MINUTES:-90}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/passenger/kubernetes
out=${KUBERNETES_RESULTS:-$(mktemp -d)}
work=$(mktemp -d)
qemu=''
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
	[ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

payload=$work/payload
mkdir -p "$out" "$cache" "$payload/manifests" "$payload/bin"
testscripts/kubernetes/manifests.sh "$payload/manifests"

# The programs of Kubernetes, in a module of their own: none of it reaches ours.
programs='kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy'
if [ -z "${KUBERNETES_BIN-}" ]; then
	KUBERNETES_BIN=$cache/bin
	for program in $programs; do
		[ ! -x "$cache/bin/$program" ] || continue
		echo "kubernetes: compiling $program"
		cp -r "$here/cluster" "$work/cluster"
		(cd "$work/cluster" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$cache/bin/" "./$program")
		rm -rf "$work/cluster"
	done
fi
for program in $programs; do ln "$KUBERNETES_BIN/$program" "$payload/bin/" 2>/dev/null || cp "$KUBERNETES_BIN/$program" "$payload/bin/"; done

# Our images, and the one that holds a pod's namespaces: a docker-archive by hand.
lib/dist/image/build.sh "$work/images" ruby node >/dev/null
mv "$work"/images/passenger-*.tar "$payload/"
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/pause" ./testscripts/kubernetes/pause
tar -C "$work" --owner=0 --group=0 -cf "$work/layer.tar" pause
printf '{"architecture":"%s","os":"linux","config":{"Entrypoint":["/pause"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
	"$(go env GOARCH)" "$(sha256sum <"$work/layer.tar" | cut -d ' ' -f 1)" >"$work/config.json"
echo '[{"Config":"config.json","RepoTags":["localhost/pause:1"],"Layers":["layer.tar"]}]' >"$work/manifest.json"
tar -C "$work" -cf "$payload/pause.tar" manifest.json config.json layer.tar

openssl genrsa -out "$payload/sa.key" 2048 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=metrics -keyout "$payload/metrics.key" -out "$payload/metrics.pem" 2>/dev/null
cp -r "$here"/guest/* "$payload/"
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$payload/load" ./testscripts/vm/load
echo $((minutes * 60)) >"$payload/limit"
echo "${KUBERNETES_TESTS:-}" >"$payload/tests"
export image
image=$(testscripts/vm/image.sh trixie kubernetes 5G containerd runc containernetworking-plugins etcd-server iptables nftables conntrack ethtool socat kmod kubernetes-client)
mkfs.ext4 -q -F -O ^has_journal -d "$payload" "$work/payload.img" $(($(du -sm "$payload" | cut -f 1) * 5 / 4 + 8))M >/dev/null
rm -rf "$payload"

# shellcheck disable=SC1091 # it is beside this one
. "$here/../vm/boot.sh"
VM_MEMORY=${VM_MEMORY:-6144}
VM_CPUS=${VM_CPUS:-1}
began=$(date +%s)
run_machine "$out" "$minutes"
seconds=$(($(date +%s) - began))
if [ "${status:-125}" = 0 ]; then
	printf 'ok  \tkubernetes\t%ss\n' $seconds
else
	printf 'FAIL\tkubernetes\t%ss (status %s; journal and console in %s)\n' $seconds "${status:-none}" "$out"
	exit 1
fi
