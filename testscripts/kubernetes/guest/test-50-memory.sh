# shellcheck shell=sh disable=SC2154
# More memory than the pod may have: kubelet tells the cause, and starts the container again.
deploy ruby 30 1
until_true 300 answers
curl -s -m 60 -o /dev/null "http://$(service)/memory?mb=900" || true
reason() { kubectl get pods -o jsonpath='{.items[0].status.containerStatuses[0].lastState.terminated.reason}'; }
oom() { [ "$(reason)" = OOMKilled ]; }
until_true 120 oom
until_true 300 answers
tell "last state: $(reason); kernel: $(journalctl -k --no-pager | grep -c 'Memory cgroup out of memory') kills"
