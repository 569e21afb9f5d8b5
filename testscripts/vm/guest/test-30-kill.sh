# shellcheck shell=sh disable=SC1091,SC2154
# kill -9 of each main process, under load. What a proxy had accepted is lost
# with it, and nothing else.
load_start 20
for unit in passenger-spawn passenger-pool passenger-spawn passenger-pool; do
	before=$(main_pid $unit)
	kill -9 "$before"
	until_true 60 sh -c "systemctl is-active --quiet $unit && [ \"\$(systemctl show -P MainPID $unit)\" != $before ]"
	until_true 60 answers
done
load_stop 0

load_start 20
for _ in 1 2 3; do
	before=$(main_pid passenger-proxy)
	kill -9 "$before"
	until_true 60 sh -c "systemctl is-active --quiet passenger-proxy && [ \"\$(systemctl show -P MainPID passenger-proxy)\" != $before ]"
	until_true 60 answers
done
load_stop 6 # two a kill: those in flight

# The keeper of the cgroup may go too: apps live on.
load_start 20
pid=$(curl -sf http://127.0.0.1/pid)
kill -9 "$(main_pid passenger-apps)"
sleep 3
kill -0 "$pid" || die "the app ended with the keeper"
load_stop 0
