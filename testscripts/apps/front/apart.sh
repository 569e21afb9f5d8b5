#!/bin/sh
# apart.sh DIR COMMAND…: runs the command where DIR is /run/passenger, the place
# that installed files name, and where the rest of /run is empty. Needs root.
set -eu
if [ "${1:-}" != --inside ]; then
	exec unshare --mount --propagation unchanged "$0" --inside "$@"
fi
# In a chroot the root is no mount, and whoever made it has made all private.
mount --make-rprivate / 2>/dev/null || ! grep -q ' shared:' /proc/self/mountinfo
mount -t tmpfs tmpfs /run
mkdir /run/passenger
mount --bind "$2" /run/passenger
shift 2
exec "$@"
