# shellcheck shell=sh disable=SC1091,SC2154
# The package is installed, the daemons run, the app answers as its owner in a
# cgroup of its own; a reboot brings all of it back.
until_true 60 answers
for unit in passenger-spawn passenger-apps passenger-pool passenger-proxy; do
	systemctl is-active --quiet $unit || die "$unit is not active"
done
pid=$(curl -sf http://127.0.0.1/pid)
[ "$(stat -c %U "/proc/$pid")" = alice ] || die "the app runs as $(stat -c %U "/proc/$pid")"
curl -sf http://127.0.0.1/cgroup | grep -q '^0::/passenger.slice/passenger-apps.service/process-' || die "cgroup: $(curl -s http://127.0.0.1/cgroup)"
if [ -z "$AFTER_REBOOT" ]; then
	passenger-pool scale shop 1
	reboot_now
fi
# What a command set is still so.
passenger-pool show shop | grep -q '^instances  *1 ' || die "scale is lost: $(passenger-pool show shop)"
passenger-pool scale shop auto
# Its lines have fields.
journalctl -b -1 PASSENGER_APP=shop PASSENGER_STREAM=stderr -o json --no-pager | grep '"PASSENGER_PID":"[0-9]' | grep -q 'last words' || die "no fields: $(journalctl -b -1 -t shop -o json --no-pager | tail -n 3)"
# At the reboot the app had its SIGTERM, and what it said then is in the journal.
journalctl -b -1 -u passenger-spawn --no-pager | grep 'last words' || die "no last words before the reboot"
