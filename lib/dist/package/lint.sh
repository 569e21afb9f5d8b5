#!/bin/sh
# lint.sh DIR: checks the packages in DIR that build.sh made with lintian and
# rpmlint (Debian: lintian, rpmlint, rpm, cpio), and fails on an error. No system with
# apk is at hand: of its packages it checks what they hold, and the version.
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
for package in "$1"/*.apk; do
	case $package in *_x86_64.apk) arch=amd64 ;; *_aarch64.apk) arch=arm64 ;; esac
	dpkg-deb --fsys-tarfile "$1"/*_"$arch".deb | tar -t | sed 's|^\./||; /\/$/d' | LC_ALL=C sort >"$work/deb"
	tar --warning=no-unknown-keyword -xzOf "$package" .PKGINFO >"$work/info"
	tar --warning=no-unknown-keyword -tzf "$package" | sed '/\/$/d' | LC_ALL=C sort >"$work/apk"
	printf '%s\n' .PKGINFO .post-deinstall .post-install .pre-deinstall | cat - "$work/deb" | LC_ALL=C sort | diff - "$work/apk" ||
		{ echo "$package does not hold what the deb does" >&2 && exit 1; }
	grep -qxE 'pkgver = [0-9]+(\.[0-9]+)*(_p[0-9]+)?-r[0-9]+' "$work/info" || { echo "$package: apk takes no such version: $(grep pkgver "$work/info")" >&2 && exit 1; }
	echo "$package holds $(wc -l <"$work/deb") files, as the deb does"
done
