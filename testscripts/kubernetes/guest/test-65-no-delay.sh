# shellcheck shell=sh disable=SC2154
# What the delay is for: a pod ends, and the node hears of it 10 s late, as kube-proxy is
# stopped meanwhile. Each request has a connection of its own. Without the delay requests
# must fail, else the tests of it mean nothing; with it none may.
trap 'systemctl kill -s CONT kproxy' EXIT
ending() { ! curl -sf -m 60 "http://$ip:3001/readyz"; }
for delay in 0 30; do
	deploy ruby $delay 2
	until_true 300 answers
	pod=$(pods | head -n 1)
	ip=$(kubectl get pod "$pod" -o jsonpath='{.status.podIP}')
	load_start 5 0 -fresh
	systemctl kill -s STOP kproxy
	kubectl delete pod "$pod" --wait=false
	until_true 120 ending
	sleep 10
	systemctl kill -s CONT kproxy
	until_true 300 none_ending
	rolled_out
	load_stop "ruby, kube-proxy 10 s late, delay $delay s"
	if [ $delay = 0 ]; then
		[ "$failed" -gt 0 ] || die "no request failed without the delay"
	else
		none_failed
	fi
done
