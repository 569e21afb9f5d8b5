# shellcheck shell=sh disable=SC1091,SC2154
# What the tests share.

say() { echo "$*"; }

die() {
	echo "failed: $*"
	systemctl --no-pager status 'passenger*' 2>&1 | head -n 60
	exit 1
}

# until_true SECONDS COMMAND...
until_true() {
	limit=$1
	shift
	end=$(($(date +%s) + limit))
	while ! "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $end ] || die "not within $limit s: $*"
		sleep 0.2
	done
}

# prepare installs the package and an app.
prepare() {
	dpkg -i /payload/old.deb >/var/results/dpkg.txt 2>&1 || return 1
	cp -r /payload/apps/shop /srv/shop
	chown -R alice:alice /srv/shop
	cp /payload/apps/shop.json /etc/passenger/apps.d/shop.json
	systemctl reload passenger-pool
	passenger-pool wait shop --timeout 120s
}

answers() { curl -sf -m 5 http://127.0.0.1/ | grep -q hello; }

main_pid() { systemctl show -P MainPID "$1"; }

# Load: "load_start RATE" and "load_stop MOST", which fails if more than MOST
# requests failed.
load_start() {
	/payload/load -rate "$1" -url http://127.0.0.1/ -websockets "${2-0}" >/tmp/load.txt 2>&1 &
	echo $! >/tmp/load.pid
	until_true 20 grep -q started /tmp/load.txt
}

load_stop() {
	kill -TERM "$(cat /tmp/load.pid)"
	until_true 20 grep -q '^total' /tmp/load.txt
	cat /tmp/load.txt
	failed=$(sed -n 's/^total .* failed \([0-9]*\).*/\1/p' /tmp/load.txt)
	[ "$failed" -le "$1" ] || die "$failed requests failed, at most $1 may"
}

reboot_now() { exit 77; }
