# shellcheck shell=sh disable=SC1091,SC2154
# A limit of all apps together: the pool knows it and says what it withholds for
# it, whatever its own unit may have; what the kernel kills for it names it.
c=/sys/fs/cgroup/passenger.slice/passenger-apps.service
until_true 60 answers
host() { curl -sf --unix-socket /run/passenger/spawn.sock http://x/v1/host; }
systemctl set-property --runtime passenger-pool MemoryMax=60M
host | grep -q '"memory_bound":"the machine"' || die "without a limit: $(host)"
systemctl set-property --runtime passenger-apps MemoryMax=$(($(cat $c/memory.current) + (8 << 20)))
host | grep -q "\"memory_bound\":\"$c\"" || die "with a limit: $(host)"
# It is to be about 1 MB over what cannot be reclaimed: less than a process takes.
free() { host | sed 's/.*"memory_free_bytes":\([0-9]*\).*/\1/'; }
systemctl set-property --runtime passenger-apps MemoryMax=$(($(cat $c/memory.max) - $(free) + (1 << 20)))
sleep 3 # the pool looks every 2 s
passenger-pool restart shop
until_true 60 sh -c "journalctl -u passenger-pool -p warning --no-pager | grep 'start withheld for want of memory' | grep -q '$c has'"
systemctl set-property --runtime passenger-apps MemoryMax=$(($(cat $c/memory.current) + (80 << 20)))
passenger-pool wait shop --timeout 120s

systemctl set-property --runtime passenger-apps MemoryMax=$(($(cat $c/memory.current) + (20 << 20)))
for _ in 1 2 3; do curl -s -o /dev/null -m 20 'http://127.0.0.1/memory?mb=50' || true; done
until_true 60 sh -c "journalctl -u passenger-spawn -p warning --no-pager | grep -q 'out of memory (the limit of $c, '"
systemctl set-property --runtime passenger-apps MemoryMax=infinity
systemctl set-property --runtime passenger-pool MemoryMax=infinity
passenger-pool wait shop --timeout 120s
until_true 60 answers
