#!/bin/sh
# build.sh [APP…]: installs and builds applications of apps/ as their frameworks
# document, outside of the repository, and prints the directory that they are
# in, with Node.js itself in node/. What was built from the same files is kept.
# Without names it is all that stack_*.txtar serve from there. Needs npm.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/passenger/npm
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9

# what APPDIR: all that decides what is built from it.
what() { (cd "$1" && find . -name node_modules -prune -o -type f -print | LC_ALL=C sort | xargs cksum; cat "$here/node/package.json"); }

# make APP APPDIR: installs and builds, and puts the result in place as a whole.
make() {
	began=$(date +%s)
	new=$(mktemp -d "$cache/.$1-XXXXXX")
	tar -C "$2" --exclude=node_modules -cf - . | tar -C "$new" -xf -
	(
		cd "$new"
		export NEXT_TELEMETRY_DISABLED=1 NUXT_TELEMETRY_DISABLED=1 CI=true
		# No script of a package has to run for these; none may.
		timeout 600 npm ci --ignore-scripts --no-audit --no-fund >.log 2>&1 &&
			timeout 900 npm run build --if-present >>.log 2>&1 9>&-
	) || {
		tail -n 30 "$new/.log" >&2
		echo "build.sh: $1 was not built; the whole output is in $new/.log" >&2
		exit 1
	}
	what "$2" >"$new/.built"
	rm -rf "${cache:?}/$1"
	mv "$new" "$cache/$1"
	echo "build.sh: $1: $(($(date +%s) - began)) s, $(du -sm "$cache/$1" | cut -f 1) MB" >&2
}

# fresh APP APPDIR: makes it unless it is there.
fresh() {
	[ "$(what "$2")" = "$(cat "$cache/$1/.built" 2>/dev/null)" ] || make "$1" "$2"
}

fresh node "$here/node"
mkdir -p "$cache/node/bin"
ln -sf "$(echo "$cache"/node/node_modules/node-linux-*/bin/node)" "$cache/node/bin/node"
export PATH="$cache/node/bin:$PATH"
if [ $# = 0 ]; then
	# shellcheck disable=SC2016,SC2046 # words; for grep
	set -- $(grep -ho '\$NPM/[a-z-]*' "$here"/../*.txtar | sed 's,.*/,,' | sort -u)
fi
for app; do
	fresh "$app" "$here/../apps/$app"
done
echo "$cache"
