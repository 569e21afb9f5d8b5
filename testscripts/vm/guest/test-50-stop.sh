# shellcheck shell=sh disable=SC1091,SC2154
# Stopping the target ends the apps, with their grace; starting it brings them back.
until_true 60 answers
pid=$(curl -sf http://127.0.0.1/pid)
systemctl stop passenger.target
until_true 60 sh -c '! pgrep -x passenger-spawn && ! pgrep -x passenger-pool && ! pgrep -x passenger-prox'
! kill -0 "$pid" 2>/dev/null || die "the app lives"
journalctl -u passenger-spawn --no-pager | grep "last words of $pid" || die "no last words"
[ ! -d /sys/fs/cgroup/passenger.slice/passenger-apps.service ] || die "the cgroup stayed: $(find /sys/fs/cgroup/passenger.slice/passenger-apps.service -name cgroup.procs -exec cat {} +)"
systemctl start passenger.target
until_true 60 answers
# restarting the apps' unit is a restart of all apps
before=$(curl -sf http://127.0.0.1/pid)
systemctl restart passenger-apps
until_true 90 answers
! kill -0 "$before" 2>/dev/null || die "the app lives"
# and their new cgroups have the limits, though the tree is another
for group in /sys/fs/cgroup/passenger.slice/passenger-apps.service/process-*; do
	[ "$(cat "$group/memory.max")" = $((120 << 20)) ] || die "memory.max of $group: $(cat "$group/memory.max" 2>&1)"
done
