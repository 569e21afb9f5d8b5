# shellcheck shell=sh disable=SC1091,SC2154
# SIGUSR2 to spawner and proxy, under load: another program, no request fails.
load_start 20 20
before=$(main_pid passenger-proxy)
spawner=$(main_pid passenger-spawn)
for _ in 1 2; do
	systemctl kill --kill-who=main -s USR2 passenger-proxy
	until_true 60 sh -c "[ \"\$(systemctl show -P MainPID passenger-proxy)\" != $before ]"
	before=$(main_pid passenger-proxy)
	systemctl kill --kill-who=main -s USR2 passenger-spawn
	sleep 5
done
[ "$(main_pid passenger-spawn)" = "$spawner" ] || die "the spawner did not keep its pid"
systemctl is-active --quiet passenger-proxy || die "proxy is not active"
sleep 40 # longer than the watchdog's time
systemctl is-active --quiet passenger-proxy || die "proxy is not active after the watchdog's time"
[ "$(main_pid passenger-proxy)" = "$before" ] || die "the watchdog killed the new proxy"
load_stop 0
grep -q '[1-9][0-9]* closed in order' /tmp/load.txt || die "no WebSocket was closed in order"
# it can be stopped and started as ever
systemctl restart passenger-proxy
until_true 60 answers
