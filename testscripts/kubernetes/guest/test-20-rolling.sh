# shellcheck shell=sh disable=SC2154
# A rolling update of a Ruby and of a Node.js app beside keep-alive clients and a WebSocket
# through kube-proxy's Service: nothing fails with the delay.
for kind in ruby node; do
	deploy $kind 30 2
	until_true 120 answers
	load_start 10 1
	again
	load_stop "$kind, delay 30 s"
	none_failed
	page=$(curl -s -m 20 "http://$(service)/")
	tell "$kind: $page"
done
