# shellcheck shell=sh disable=SC2154
# The autoscaler acts on our metric: metrics.py answers in prometheus-adapter's place.
unit metrics python3 /payload/metrics.py /payload/metrics.pem /payload/metrics.key
kubectl apply -f - <<-END
	apiVersion: v1
	kind: Service
	metadata: {name: metrics, namespace: kube-system}
	spec: {ports: [{port: 443, targetPort: 6444}]}
	---
	apiVersion: discovery.k8s.io/v1
	kind: EndpointSlice
	metadata: {name: metrics, namespace: kube-system, labels: {kubernetes.io/service-name: metrics}}
	addressType: IPv4
	ports: [{port: 6444, protocol: TCP}]
	endpoints: [{addresses: [$node], conditions: {ready: true}}]
	---
	apiVersion: apiregistration.k8s.io/v1
	kind: APIService
	metadata: {name: v1beta1.custom.metrics.k8s.io}
	spec: {group: custom.metrics.k8s.io, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: {name: metrics, namespace: kube-system}}
END
kubectl wait --for=condition=Available --timeout=300s apiservice v1beta1.custom.metrics.k8s.io
deploy ruby 30 2
until_true 300 answers
awk 'BEGIN { RS = "---\n" } /kind: HorizontalPodAutoscaler/' /payload/manifests/component-hpa.yaml | kubectl apply -f -
# Requests that take a while keep processes busy.
address=$(service) # once: twelve kubectl in a row take what processors there are
for client in 1 2 3 4 5 6 7 8 9 10 11 12; do
	(while [ ! -e /tmp/enough ]; do curl -s -m 120 -o /dev/null "http://$address/sleep?$client"; done) &
done
scaled() { [ "$(kubectl get deployment app -o jsonpath='{.spec.replicas}')" -ge 3 ]; }
until_true 600 scaled
kubectl get hpa app
tell "autoscaler: $(kubectl get hpa app --no-headers | tr -s ' ')"
touch /tmp/enough
kubectl delete hpa app
