# shellcheck shell=sh disable=SC1091,SC2154,SC2016
# cgroup v2 for real: the kernel ends what takes more than its memory, the cause
# is told, the process is replaced, its neighbour unharmed; a fork bomb ends at
# pids_max; the weight is set; no cgroup is left behind.
c=/sys/fs/cgroup/passenger.slice/passenger-apps.service
until_true 60 answers
for group in "$c"/process-*; do
	[ "$(cat "$group/cpu.weight")" = 50 ] || die "cpu.weight of $group: $(cat "$group/cpu.weight")"
	[ "$(cat "$group/memory.max")" = $((120 << 20)) ] || die "memory.max of $group: $(cat "$group/memory.max")"
done
for _ in 1 2 3; do curl -s -o /dev/null -m 20 'http://127.0.0.1/memory?mb=200' || true; done
until_true 30 sh -c "journalctl -u passenger-spawn -p warning --no-pager | grep -q 'out of memory (memory_max 120 MB)'"
until_true 60 answers
passenger-pool wait shop --timeout 60s

# Ruby tries a fork that was refused again and again; the neighbour serves.
curl -s -o /dev/null -m 60 'http://127.0.0.1/forks?n=200' &
until_true 60 sh -c "journalctl -k --no-pager | grep -q 'fork rejected by pids controller in /passenger.slice/passenger-apps.service/process-'"
for group in "$c"/process-*; do
	[ "$(cat "$group/pids.current")" -le 60 ] || die "$(cat "$group/pids.current") processes in $group"
done
until_true 30 sh -c "journalctl -u passenger-spawn -p warning --no-pager | grep -q 'process reached its pids_max'"
until_true 20 answers
wait
until_true 60 answers

# a spawner that starts again adopts the cgroups
systemctl restart passenger-spawn
until_true 60 answers
for _ in 1 2 3; do curl -s -o /dev/null -m 20 'http://127.0.0.1/memory?mb=200' || true; done
until_true 60 sh -c '[ "$(journalctl -u passenger-spawn --no-pager | grep -c "out of memory (memory_max 120 MB)")" -ge 2 ]'
passenger-pool wait shop --timeout 60s
sleep 2
live=$(passenger-status --format=json | grep -o '"pid": *[0-9]*' | sort -u | wc -l)
groups=$(find "$c" -maxdepth 1 -name "process-*" | wc -l)
[ "$groups" -le "$live" ] || die "$groups cgroups for $live processes"
