# shellcheck shell=sh disable=SC1091,SC2154
# SIGSTOP of each daemon: the watchdog has it replaced.
for unit in passenger-spawn passenger-pool passenger-proxy; do
	before=$(main_pid $unit)
	kill -STOP "$before"
	until_true 90 sh -c "systemctl is-active --quiet $unit && [ \"\$(systemctl show -P MainPID $unit)\" != $before ]"
	until_true 60 answers
done
journalctl -u 'passenger-*' --no-pager | grep -i 'watchdog' | tail -n 3
