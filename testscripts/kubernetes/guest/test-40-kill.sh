# shellcheck shell=sh disable=SC2154
# kill -9 of the proxy in a pod: another starts in it, the container goes on.
deploy ruby 30 1
until_true 300 answers
old=$(pgrep -f '^passenger-proxy serve' | head -n 1)
kill -9 "$old"
until_true 60 answers
new=$(pgrep -f '^passenger-proxy serve' | head -n 1)
[ "$new" != "$old" ] || die "the proxy was not killed"
[ "$(kubectl get pods -o jsonpath='{.items[0].status.containerStatuses[0].restartCount}')" = 0 ] || die "the container was restarted"
tell "pid $old was killed, $new serves, 0 restarts of the container"
