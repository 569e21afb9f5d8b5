# shellcheck shell=sh disable=SC2154
# A deleted pod, and a node that is drained: the budget lets one pod go, and none fails.
deploy ruby 30 2
until_true 300 answers
load_start 2 1
kubectl delete pod "$(pods | head -n 1)"
rolled_out
kubectl cordon vm
! timeout 90 kubectl drain vm --ignore-daemonsets --delete-emptydir-data --timeout=60s >/tmp/drained 2>&1 || die "the drain took both pods"
cat /tmp/drained
grep -q 'disruption budget' /tmp/drained || die "nobody told of the budget"
[ "$(kubectl get pods --no-headers | grep -c ' 1/1 *Running')" -ge 1 ] || die "no pod is left"
tell "drain: $(grep 'disruption budget' /tmp/drained | tail -n 1 | cut -c 1-160)"
kubectl uncordon vm
rolled_out
load_stop "delete and drain"
none_failed
