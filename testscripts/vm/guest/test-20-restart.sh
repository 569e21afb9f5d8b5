# shellcheck shell=sh disable=SC1091,SC2154
# systemctl restart of each unit, under load: no request fails.
load_start 20
for unit in passenger-spawn passenger-pool passenger-proxy passenger-spawn; do
	before=$(main_pid $unit)
	systemctl restart $unit
	until_true 60 systemctl is-active --quiet $unit
	[ "$(main_pid $unit)" != "$before" ] || die "$unit has its old process"
	until_true 60 answers
done
systemctl reload passenger-spawn passenger-pool passenger-proxy
sleep 1
load_stop 0
