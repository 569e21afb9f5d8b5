# shellcheck shell=sh disable=SC2154
# A release that does not load is never ready: the old one serves on, the log says why.
deploy ruby 30 2
until_true 300 answers
load_start 5
apply_app broken ruby 30 2
told() { cat /var/log/pods/default_app-*/app/*.log | grep -q 'it is a test of a release'; }
until_true 900 told
! kubectl rollout status deployment app --timeout=20s || die "the broken release was rolled out"
[ "$(kubectl get pods --no-headers | grep -c " 0/1 ")" -ge 1 ] || die "the broken pod is ready"
kubectl rollout undo deployment app
rolled_out
load_stop "a broken release, taken back"
none_failed
