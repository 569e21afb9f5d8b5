# shellcheck shell=sh disable=SC2154
# A rolling update of a Ruby and of a Node.js app beside keep-alive clients and a WebSocket
# through kube-proxy's Service: nothing fails with the delay. The pods run as a user that
# no image knows, on a root that nobody can write to.
for kind in ruby node; do
	deploy $kind 30 2
	until_true 300 answers
	page=$(curl -s -m 20 "http://$(service)/")
	case $page in *" as $user, root: "*EROFS) ;; *) die "the page says: $page" ;; esac
	tell "$kind: $page"
	load_start 5 1
	again
	load_stop "$kind, rolling update, delay 30 s"
	none_failed
done
