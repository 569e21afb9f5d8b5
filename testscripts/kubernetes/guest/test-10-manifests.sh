# shellcheck shell=sh
# The API server takes everything in lib/dist/kubernetes, and warns of nothing.
kubectl apply --server-side -f /payload/manifests/crd-scaledobjects.yaml -f /payload/manifests/crd-servicemonitors.yaml
kubectl wait --for=condition=Established --timeout=300s crd/scaledobjects.keda.sh crd/servicemonitors.monitoring.coreos.com
for file in /payload/manifests/overlay-*.yaml /payload/manifests/component-*.yaml; do
	kubectl apply --server-side --dry-run=server --validate=strict -f "$file" >/tmp/said 2>&1 || { cat /tmp/said; die "$file was refused"; }
	cat /tmp/said
	! grep -qi warning /tmp/said || die "$file: the API server warns"
	tell "$(basename "$file"): $(grep -c 'server-side\|serverside' /tmp/said) objects taken"
done
# The check can fail: a pod that is not restricted is refused.
! kubectl run root --image=localhost/pause:1 --dry-run=server >/tmp/said 2>&1 || die "Pod Security admits anything"
grep -q 'violates PodSecurity "restricted' /tmp/said || { cat /tmp/said; die "refused for another reason"; }
tell "a pod without a security context: $(cut -c 1-120 /tmp/said)"
