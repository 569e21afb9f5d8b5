# shellcheck shell=sh disable=SC2154
# What the tests share. "= …" is a line that a passed test shows, too.

export PATH="/payload/bin:$PATH" HOME=/root KUBECONFIG=/k/kc
node=192.0.2.10
user=54321 # of the pods: no image knows it

# Emulation is slow: those controllers alone that the tests are about.
controllers=deployment-controller,replicaset-controller,endpointslice-controller,disruption-controller,horizontal-pod-autoscaler-controller
controllers=$controllers,node-lifecycle-controller,taint-eviction-controller,serviceaccount-controller,root-ca-certificate-publisher-controller,service-cidr-controller

tell() { echo "= $*"; }

die() {
	echo "failed: $*"
	kubectl get pods -o wide 2>&1 | tail -n 12
	kubectl get events --sort-by=.lastTimestamp 2>&1 | tail -n 12 | cut -c 1-200
	exit 1
}

# until_true SECONDS COMMAND...
until_true() {
	limit=$1
	shift
	end=$(($(date +%s) + limit))
	while ! "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $end ] || die "not within $limit s: $*"
		sleep 1
	done
}

unit() {
	name=$1
	shift
	systemd-run -q --unit="$name" --setenv=GOGC=400 --setenv=KUBECONFIG="$KUBECONFIG" -- "$@"
}

start_cluster() {
	set -x
	modprobe -a br_netfilter overlay bridge nf_conntrack || true
	sysctl -qw net.ipv4.ip_forward=1
	sysctl -qw net.bridge.bridge-nf-call-iptables=1 || true
	systemctl stop etcd containerd 2>/dev/null
	ip addr add $node/24 dev lo
	ip route add 10.96.0.0/24 dev lo src $node # of the services: kube-proxy redirects what has a route
	mkdir -p /k /etc/containerd /var/lib/kubelet /etc/cni/net.d
	cd /k || return 1
	echo 'tok,admin,admin,system:masters' >tokens.csv
	cp /payload/sa.key .
	unit etcdk /usr/bin/etcd --data-dir /k/etcd --unsafe-no-fsync
	unit api /payload/bin/kube-apiserver --etcd-servers http://127.0.0.1:2379 --service-cluster-ip-range 10.96.0.0/24 \
		--service-account-key-file /k/sa.key --service-account-signing-key-file /k/sa.key --service-account-issuer https://127.0.0.1 \
		--cert-dir /k/cert --bind-address 0.0.0.0 --advertise-address $node --secure-port 6443 --token-auth-file /k/tokens.csv \
		--authorization-mode RBAC --enable-aggregator-routing --kubelet-preferred-address-types InternalIP --allow-privileged=false
	cat >kc <<-END
		apiVersion: v1
		kind: Config
		clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443", insecure-skip-tls-verify: true}}]
		users: [{name: u, user: {token: tok}}]
		contexts: [{name: x, context: {cluster: c, user: u}}]
		current-context: x
	END
	cat >/etc/containerd/config.toml <<-END
		version = 2
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "localhost/pause:1"
		[plugins."io.containerd.grpc.v1.cri".cni]
		  bin_dir = "/usr/lib/cni"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		  runtime_type = "io.containerd.runc.v2"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
		  SystemdCgroup = true
	END
	# hairpinMode and masquerading are kube-proxy's; there is one node.
	echo '{"cniVersion":"0.4.0","name":"n","plugins":[{"type":"bridge","bridge":"cni0","isGateway":true,"hairpinMode":true,"ipMasq":false,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}' >/etc/cni/net.d/10.conflist
	systemctl start containerd
	until_true 300 ctr version
	for image in pause passenger-ruby passenger-node; do
		ctr -n k8s.io images import "/payload/$image.tar" || return 1
	done
	until_true 900 kubectl get --raw /readyz
	unit cm /payload/bin/kube-controller-manager --kubeconfig /k/kc --service-account-private-key-file /k/sa.key --use-service-account-credentials=false \
		--leader-elect=false --bind-address 127.0.0.1 --horizontal-pod-autoscaler-sync-period=5s --controllers="$controllers"
	unit sched /payload/bin/kube-scheduler --kubeconfig /k/kc --leader-elect=false --bind-address 127.0.0.1
	cat >kubelet.yaml <<-END
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		cgroupDriver: systemd
		address: 0.0.0.0
		authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
		authorization: {mode: AlwaysAllow}
		containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
		failSwapOn: false
		localStorageCapacityIsolation: false
		runtimeRequestTimeout: 15m
	END
	unit kubelet /payload/bin/kubelet --kubeconfig /k/kc --config /k/kubelet.yaml --node-ip $node --hostname-override vm
	cat >kproxy.yaml <<-END
		apiVersion: kubeproxy.config.k8s.io/v1alpha1
		kind: KubeProxyConfiguration
		clientConnection: {kubeconfig: /k/kc}
		clusterCIDR: 10.244.0.0/24
		mode: nftables
		hostnameOverride: vm
	END
	unit kproxy /payload/bin/kube-proxy --config /k/kproxy.yaml
	until_true 600 node_ready
	# Pods that are not as Pod Security's "restricted" has it are refused here.
	kubectl label --overwrite namespace default pod-security.kubernetes.io/enforce=restricted pod-security.kubernetes.io/warn=restricted
	until_true 300 kubectl get serviceaccount default
}

node_ready() { kubectl get node vm | grep -q ' Ready'; }

# deploy KIND DELAY REPLICAS: our overlay with the image of a kind and the app that its
# config map holds, as any user, in one go: the first pod has the app. A delay of 0 shows
# what it is for. Probes get the time that emulation takes.
deploy() {
	apply_app "$1" "$1" "$2" "$3" && rolled_out && until_true 300 none_ending
}

# apply_app APP KIND DELAY REPLICAS does not wait for it.
apply_app() {
	kubectl create configmap "app-$1" --from-file="/payload/apps/$1" --dry-run=client -o yaml | kubectl apply -f - || return 1
	sed "s|registry.example/shop:1|localhost/passenger:$2|; s/value: 15s/value: ${3}s/; s/replicas: 2/replicas: $4/; s/cpu: 500m/cpu: 100m/
		s/timeoutSeconds: 5/timeoutSeconds: 30/; s/failureThreshold: 90/failureThreshold: 450/
		s/terminationGracePeriodSeconds: 60/terminationGracePeriodSeconds: $(($3 + 120))/
		s|^\( *\)volumeMounts:|&\n\1- {name: app, mountPath: /app}|; s|^\( *\)volumes:|&\n\1- {name: app, configMap: {name: app-$1}}|
		s/^\( *\)runAsNonRoot: true/&\n\1runAsUser: $user/" /payload/manifests/overlay-plain.yaml | kubectl apply -f -
}

rolled_out() { kubectl rollout status deployment app --timeout=900s || die "the rollout is not done"; }

again() { kubectl rollout restart deployment app && rolled_out && until_true 300 none_ending; }

# none_ending: no pod is on its way out.
none_ending() { ! kubectl get pods --no-headers | grep -q Terminating; }

service() { kubectl get service app -o jsonpath='{.spec.clusterIP}'; }

answers() { curl -sf -m 20 "http://$(service)/" | grep -q hello; }

pods() { kubectl get pods --no-headers -o custom-columns=N:.metadata.name; }

# Load: "load_start RATE [WEBSOCKETS [FLAG]]", through kube-proxy, and "load_stop WHAT",
# which sets failed.
load_start() {
	/payload/load -rate "$1" -patience 3m -url "http://$(service)/" -websockets "${2-0}" ${3:+"$3"} >/tmp/load.txt 2>&1 &
	echo $! >/tmp/load.pid
	until_true 120 grep -q started /tmp/load.txt
}

load_stop() {
	kill -TERM "$(cat /tmp/load.pid)"
	until_true 300 grep -q '^total' /tmp/load.txt
	tail -n 5 /tmp/load.txt
	failed=$(sed -n 's/^total .* failed \([0-9]*\).*/\1/p' /tmp/load.txt)
	tell "$1: $(grep '^total' /tmp/load.txt)"
}

none_failed() { [ "$failed" = 0 ] || die "$failed requests failed"; }
