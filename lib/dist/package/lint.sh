#!/bin/sh
# lint.sh DIR: checks the packages in DIR that build.sh made with lintian and
# rpmlint (Debian: lintian, rpmlint, rpm, cpio), and fails on an error.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# rpmlint unpacks by "cpio -id", and the names in our packages begin at the root:
# without this it would install them.
cat >"$work/cpio" <<END
#!/bin/sh
exec $(command -v cpio) --no-absolute-filenames "\$@"
END
chmod 755 "$work/cpio"
PATH=$work:$PATH
export PATH

for package in "$1"/*.deb; do
	lintian --allow-root --fail-on error "$package"
done
for package in "$1"/*.rpm; do
	rpmlint -r "$here/rpmlintrc" "$package" >"$work/said" 2>&1 || true
	cat "$work/said"
	grep -q ' 0 errors,' "$work/said" || exit 1
done
