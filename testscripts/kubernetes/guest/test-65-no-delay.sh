# shellcheck shell=sh disable=SC2154
# The same without the delay fails requests, so that the test of it means something. It may
# take several updates until one comes at the wrong moment.
deploy ruby 0 2
until_true 300 answers
load_start 3
lost() { grep -q ' request ' /tmp/load.txt; }
for n in 1 2 3 4; do
	kubectl rollout restart deployment app
	until lost || kubectl rollout status deployment app --timeout=20s 2>/dev/null; do :; done
	! lost || break
done
load_stop "ruby, no delay, $n updates"
cat /tmp/load.txt
[ "$failed" -gt 0 ] || die "no request failed without the delay"
