#!/bin/sh
# ansible.sh: runs our Ansible role for real: ansible-lint, then the role on a copy
# of a Debian chroot, with the package of this checkout, TLS and an app, twice: the
# second run changes nothing. Then the daemons serve by the files that it wrote.
# Needs root and mmdebstrap; installs ansible and ansible-lint, 300 MB, where this
# is Debian. Nothing outside of temporary directories and namespaces is changed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
SUITE=${SUITE:-trixie}

[ "$(id -u)" = 0 ] || { echo "ansible.sh: only root works in a chroot; run it as root" >&2 && exit 1; }
command -v ansible-lint >/dev/null || {
	echo "ansible.sh: installing ansible and ansible-lint"
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ansible ansible-lint openssl curl >/dev/null
}
root=$("$repo/testscripts/distros/chroot.sh" "$SUITE" table)
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM HUP

(cd "$repo/lib/dist/ansible" && ansible-lint --nocolor --offline roles/passenger site.yml)
echo "ok    ansible-lint"

(cd "$repo" && lib/dist/package/build.sh "$work/packages" "$(dpkg --print-architecture)" >/dev/null)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=shop.test -addext subjectAltName=DNS:shop.test \
	-keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
mkdir "$work/layers"
cat >"$work/play.yml" <<-END
	- hosts: all
	  gather_facts: false
	  roles:
	    - role: passenger
	      vars:
	        passenger_package: $(echo "$work"/packages/*.deb)
	        passenger_server_name: shop.test
	        passenger_app_name: shop
	        passenger_app_root: /srv/www/shop/current/public
	        passenger_app_user: games
	        passenger_app_vars: {GREETING: hello}
	        passenger_app_settings: {python: /usr/bin/python3, startup_file: passenger_wsgi.py}
	        passenger_listen: ["tls:127.0.0.1:0"]
	        passenger_certificate: $work/cert.pem
	        passenger_certificate_key: $work/key.pem
	        passenger_defaults: {POOL_MAX_POOL_SIZE: 3}
	        passenger_service: false
	        passenger_run_handlers: false
END

# The rest happens in namespaces that end with it, on a copy of the chroot in memory.
exec 9<"$root/.used"
flock --shared 9
# shellcheck disable=SC2016 # for the shell inside
timeout 900 unshare --mount --pid --fork --kill-child --mount-proc sh -euc '
	work=$1 root=$2 repo=$3
	mount --make-rprivate /
	mount -t tmpfs tmpfs "$work/layers"
	mkdir "$work/layers/upper" "$work/layers/work" "$work/layers/root"
	at=$work/layers/root
	mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/layers/upper,workdir=$work/layers/work" "$at"
	mount -t proc proc "$at/proc"
	mount --rbind /dev "$at/dev"
	cp /etc/resolv.conf "$at/etc/"
	printf "#!/bin/sh\nexit 101\n" >"$at/usr/sbin/policy-rc.d"
	chmod 755 "$at/usr/sbin/policy-rc.d"

	# The app is there first, as a deployment tool brings it.
	mkdir -p "$at/srv/www/shop/current/public"
	cp "$repo/testscripts/tools/passenger_wsgi.py" "$at/srv/www/shop/current/"
	chown -R 5:60 "$at/srv/www/shop"

	play() {
		ANSIBLE_NOCOLOR=1 ANSIBLE_ROLES_PATH=$repo/lib/dist/ansible/roles ANSIBLE_LOCALHOST_WARNING=0 ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3 \
			ansible-playbook -i "$at," -c community.general.chroot "$work/play.yml" >"$work/said" 2>&1 || { cat "$work/said" && return 1; }
		grep "ok=.*changed=" "$work/said" | sed "s/.*: ok/ok/"
	}
	echo "first run:  $(play)"
	second=$(play)
	echo "second run: $second"
	case $second in *changed=0*failed=0*) echo "ok    the second run changes nothing" ;; *) cat "$work/said" && exit 1 ;; esac

	# The daemons serve by the files that the role wrote.
	chroot "$at" env -i PATH="$PATH" timeout 120 bash -euc "
		set -a; . /etc/default/passenger; set +a
		export PASSENGER_STATE_DIR=/run/passenger
		passenger-spawn serve --stop-on-exit --user-switching --apps-dir=/etc/passenger/apps.d --control-group=passenger 2>/spawn.log &
		until [ -S /run/passenger/spawn.sock ]; do read -rt 0.1 <> <(:) || :; done
		run() { setpriv --reuid=passenger --regid=passenger --init-groups \"\$@\"; }
		run passenger-pool serve --apps-dir=/etc/passenger/apps.d 2>/pool.log &
		until run passenger-pool wait shop 2>/dev/null; do read -rt 0.1 <> <(:) || :; done
		run passenger-proxy serve 2>/proxy.log &
		until grep -q \"proxy started\" /proxy.log; do read -rt 0.1 <> <(:) || :; done
		port=\$(sed -n \"s/.*listen=[^ ]*127.0.0.1:\\([0-9]*\\).*/\\1/p\" /proxy.log)
		curl -sS --cacert /etc/passenger/cert.pem --resolve shop.test:\$port:127.0.0.1 https://shop.test:\$port/
	" >"$work/answer" || { tail -n 20 "$at"/*.log && exit 1; }
	cat "$work/answer"
	grep -qx "hello from games" "$work/answer"
	echo "ok    the app is served over TLS as its user"
' sh "$work" "$root" "$repo"
