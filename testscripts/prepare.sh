#!/bin/sh
# Installs what the tests need: Debian packages when this is root on Debian,
# and the npm packages of the apps that have some. Elsewhere it says what is missing, how to
# get it, and fails.
set -eu
cd "$(dirname "$0")"

packages='gcc libc6-dev mmdebstrap curl procps strace tmux logrotate aide tripwire auditd capistrano openssh-server git runit s6 openrc supervisor mandoc shellcheck zsh fish nginx apache2-bin haproxy certbot
	ruby bundler ruby-rack ruby-sinatra ruby-rails puma unicorn
	ruby-sqlite3 ruby-sequel
	python3 python3-flask python3-django gunicorn
	python3-uvicorn python3-hypercorn python3-daphne python3-fastapi python3-websockets
	haproxy iproute2
	chromium rsyslog-elasticsearch'

installed() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

missing=''
if command -v dpkg-query >/dev/null; then
	for package in $packages; do
		installed "$package" || missing="$missing $package"
	done
	command -v node >/dev/null || missing="$missing nodejs"
	command -v npm >/dev/null || missing="$missing npm"
	if [ -n "$missing" ]; then
		install="apt-get install -y --no-install-recommends$missing"
		if [ "$(id -u)" != 0 ]; then
			echo "prepare: missing:$missing" >&2
			echo "prepare: run as root: $install" >&2
			exit 1
		fi
		echo "prepare: installing$missing"
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -qq
		# shellcheck disable=SC2086 # a list of words
		$install >/dev/null
	fi
else
	for program in gcc curl mandoc shellcheck ruby bundle puma python3 node npm; do
		command -v "$program" >/dev/null || missing="$missing $program"
	done
	if [ -n "$missing" ]; then
		echo "prepare: missing:$missing" >&2
		echo "prepare: this is not Debian; install them with your package manager, with the Rack, Sinatra and Rails gems, Flask and Django" >&2
		exit 1
	fi
fi

# The lockfile says what to install; a stamp says for which lockfile it was.
for dir in apps/express apps/httpcache browser; do
	if ! cmp -s $dir/package-lock.json $dir/node_modules/.installed; then
		(cd $dir && npm ci --silent --no-audit --no-fund)
		cp $dir/package-lock.json $dir/node_modules/.installed
	fi
done

# Tests of HTTP/2 that others wrote. The harness looks for them there.
h2spec=v2.2.1+incompatible
tools="$(go env GOPATH)/bin"
go version -m "$tools/h2spec" 2>/dev/null | grep -q "h2spec	$h2spec" ||
	GOBIN="$tools" go install "github.com/summerwind/h2spec/cmd/h2spec@$h2spec"

# What checks metrics, rules and dashboards. It is in a package of 96 MB that would
# start a server and bring fonts: promtool is taken out of that alone.
if ! command -v promtool >/dev/null && [ ! -x "$tools/promtool" ]; then
	command -v dpkg-deb >/dev/null || { echo "prepare: missing: promtool, of Prometheus" >&2; exit 1; }
	fetched=$(mktemp -d)
	trap 'rm -rf "$fetched"' EXIT
	(
		cd "$fetched"
		apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq && apt-get download -qq prometheus; }
		dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
	)
	install -D -m 755 "$fetched/usr/bin/promtool" "$tools/promtool"
fi
