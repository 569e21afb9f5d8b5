# shellcheck shell=sh disable=SC1091,SC2154
# A newer package is installed under load: nothing fails. Then it is removed and purged.
load_start 20 20
spawner=$(passenger-spawn --version)
dpkg -i /payload/new.deb
sleep 40 # the old proxy closes what is upgraded when its drain time is over
load_stop 0
grep -q '[1-9][0-9]* closed in order' /tmp/load.txt || die "no WebSocket was closed in order"
until_true 30 sh -c 'curl -s --unix-socket /run/passenger/spawn.sock http://x/v1/info | grep -q "0.1.0+2"'
until_true 30 sh -c 'curl -s --unix-socket /run/passenger/pool.sock http://x/v1/info | grep -q "0.1.0+2"'
until_true 30 sh -c 'curl -s --unix-socket /run/passenger/proxy.sock http://x/v1/info | grep -q "0.1.0+2"'
[ "$(passenger-spawn --version)" != "$spawner" ] || die "the old version is installed"

dpkg -r passenger-toolkit
! pgrep -f /usr/bin/passenger || die "left running: $(pgrep -af /usr/bin/passenger)"
[ -e /etc/passenger/apps.d/shop.json ] || die "the settings went with the package"
dpkg -P passenger-toolkit
[ ! -e /etc/default/passenger ] || die "purge left /etc/default/passenger"
[ ! -e /run/passenger ] || die "purge left /run/passenger"
