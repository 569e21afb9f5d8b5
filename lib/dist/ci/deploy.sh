#!/bin/sh
# deploy.sh USER@HOST DIR APP: copies the working directory to a new release below
# DIR on the host, makes DIR/current lead there, and restarts the app.
#
# Ends with status 0 once the new release serves. "passenger-pool restart --wait"
# ends with 5 if it does not and the old one goes on: then DIR/current leads to the
# old one again, the new one is removed, and this ends with 5 as well.
set -eu
[ $# = 3 ] || { echo "usage: deploy.sh USER@HOST DIR APP" >&2 && exit 2; }
host=$1 dir=$2 app=$3
release=$(date -u +%Y%m%d%H%M%S)-$$

# shellcheck disable=SC2029 # the names are to be expanded here
tar -cf - --exclude=./.git . | ssh "$host" "mkdir -p '$dir/releases/$release' && tar -xf - -C '$dir/releases/$release'"
# shellcheck disable=SC2029 # likewise
ssh "$host" "sh -s -- '$dir' '$release' '$app'" <<'END'
set -eu
cd "$1"
former=$(readlink current || true)
lead() { ln -sfn "$1" next && mv -T next current; }

lead "releases/$2"
if [ -z "$former" ]; then # the pool did not know the directory yet
	passenger-pool reload
	exec passenger-pool wait "$3"
fi
status=0
passenger-pool restart "$3" --wait || status=$?
if [ "$status" = 5 ]; then
	echo "deploy.sh: release $2 does not serve; $former goes on" >&2
	lead "$former"
	rm -rf "releases/$2"
fi
exit "$status"
END
