# shellcheck shell=sh disable=SC1091,SC2154
# passenger@: one app by the wrapper as any user, below the system's manager and
# below a user's; ready when it serves; limits hold, since the cgroup is delegated.
app() { # app DIR USER MB
	cp -r /payload/apps/shop "$1"
	echo "{\"memory_max\": $3, \"min_instances\": 1}" >"$1/Passengerfile.json"
	chown -R "$2:$2" "$1"
}
limited() { # limited PORT USER MB
	pid=$(curl -sf -m 20 "http://127.0.0.1:$1/pid")
	[ "$(stat -c %U "/proc/$pid")" = "$2" ] || die "port $1: runs as $(stat -c %U "/proc/$pid")"
	group=/sys/fs/cgroup$(curl -sf -m 20 "http://127.0.0.1:$1/cgroup" | sed -n s/^0:://p)
	[ "$(cat "$group/memory.max")" = $(($3 << 20)) ] || die "$group: memory.max $(cat "$group/memory.max")"
}

app /srv/one bob 100
echo 'PASSENGER_FLAGS=--port=8081' >/etc/default/passenger@srv-one
mkdir -p /etc/systemd/system/passenger@srv-one.service.d
printf '[Service]\nUser=bob\n' >/etc/systemd/system/passenger@srv-one.service.d/user.conf
systemctl daemon-reload
systemctl start passenger@srv-one
limited 8081 bob 100
systemctl reload passenger@srv-one
systemctl restart passenger@srv-one # whose cgroup has cgroups below
limited 8081 bob 100
systemctl stop passenger@srv-one
[ ! -e "$group" ] || die "left: $group"

uid=$(id -u alice)
systemctl start "user@$uid.service"
as_alice() { runuser -u alice -- env "XDG_RUNTIME_DIR=/run/user/$uid" "$@"; }
app /home/alice/two alice 110
as_alice mkdir -p /home/alice/.config/passenger
echo 'PASSENGER_FLAGS=--port=8082' >/home/alice/.config/passenger/home-alice-two.env
as_alice systemctl --user daemon-reload
as_alice systemctl --user start passenger@home-alice-two
limited 8082 alice 110
as_alice systemctl --user restart passenger@home-alice-two
limited 8082 alice 110
as_alice systemctl --user stop passenger@home-alice-two
[ ! -e "$group" ] || die "left: $group"
systemctl stop "user@$uid.service"
