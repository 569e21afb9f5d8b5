# shellcheck shell=sh disable=SC1091,SC2154
# SIGSTOP of each daemon. The watchdog has spawner and pool replaced; the pool
# wakes a proxy, so that no client loses anything.
for unit in passenger-spawn passenger-pool; do
	before=$(main_pid $unit)
	kill -STOP "$before"
	until_true 90 sh -c "systemctl is-active --quiet $unit && [ \"\$(systemctl show -P MainPID $unit)\" != $before ]"
	until_true 60 answers
done
journalctl -u 'passenger-*' --no-pager | grep 'Watchdog timeout'

load_start 20
kill -STOP "$(main_pid passenger-proxy)"
until_true 60 sh -c "journalctl -u passenger-pool --no-pager | grep -q 'proxy is stopped by a signal; waking it'"
until_true 60 answers
load_stop 0
