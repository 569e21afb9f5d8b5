#!/bin/sh
# build.sh DIR ARCH...: makes the packages of each architecture (amd64, arm64) in
# DIR: deb, rpm and apk, and the sums of all. To be run at the top of the checkout.
set -eu
out=$1
shift

NFPM=${NFPM:-github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0}
release=${RELEASE:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}
VERSION=${VERSION:-0.1.0+$(git log -1 --format=%cd.%h --date=format:%Y%m%d%H%M%S 2>/dev/null || echo 0)}
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 0)
MAINTAINER="The developers of passenger-toolkit <passenger-toolkit@lists.passenger-toolkit.net>"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
GOBIN=$work/tools go install "$NFPM"

# put MODE SOURCE TARGET
put() { install -D -m "$1" "$2" "$STAGE/$3"; }

stage() {
	put 755 lib/dist/passenger usr/bin/passenger
	put 755 lib/dist/passenger-config usr/bin/passenger-config
	mkdir -p "$STAGE/usr/bin"
	for program in spawn pool proxy status; do
		CGO_ENABLED=0 GOARCH=$ARCH go build -trimpath -ldflags "-s -w -X passenger/lib/cli.Release=$VERSION-$release" \
			-o "$STAGE/usr/bin/" "./cmd/passenger-$program"
	done
	go run ./lib/dist/sbom "$VERSION" "$STAGE"/usr/bin/passenger-spawn "$STAGE"/usr/bin/passenger-pool \
		"$STAGE"/usr/bin/passenger-proxy "$STAGE"/usr/bin/passenger-status >"$work/sbom"
	put 644 "$work/sbom" usr/share/doc/passenger-toolkit/sbom.cdx.json
	lib/dist/package/completions.sh "$STAGE/usr/share"
	for page in man/*.[1-8]; do
		target=usr/share/man/man${page##*.}/${page##*/}
		put 644 "$page" "$target"
		gzip -9n "$STAGE/$target"
	done
	for unit in lib/dist/systemd/passenger*.service lib/dist/systemd/passenger*.socket lib/dist/systemd/passenger.target; do
		put 644 "$unit" "usr/lib/systemd/system/${unit##*/}"
	done
	put 644 "lib/dist/systemd/user/passenger@.service" "usr/lib/systemd/user/passenger@.service"
	put 644 lib/dist/systemd/passenger.sysusers usr/lib/sysusers.d/passenger.conf
	put 644 lib/dist/systemd/passenger.tmpfiles usr/lib/tmpfiles.d/passenger.conf
	put 644 lib/dist/systemd/passenger.default etc/default/passenger
	for file in nginx/passenger.conf nginx/app.conf apache/passenger.conf; do
		put 644 "lib/dist/$file" "usr/share/passenger/$file"
	done
	put 755 lib/dist/certbot/passenger usr/share/passenger/certbot/passenger
	# The file "share" names directories that are installed as they are.
	# shellcheck disable=SC2013,SC2046 # lists of words
	for file in $(cd lib/dist && find $(cat package/share) -type f); do
		mode=644
		[ ! -x "lib/dist/$file" ] || mode=755
		put "$mode" "lib/dist/$file" "usr/share/passenger/$file"
	done
	put 644 lib/dist/package/logrotate etc/logrotate.d/passenger-toolkit
	put 644 lib/dist/package/apps.README etc/passenger/apps.d/README
	put 644 lib/dist/package/lintian-overrides usr/share/lintian/overrides/passenger-toolkit
	put 644 LICENSE usr/share/doc/passenger-toolkit/copyright
	cat >"$work/changelog" <<-END
		passenger-toolkit ($VERSION) unstable; urgency=medium

		  * passenger-news(7) says what is new.

		 -- $MAINTAINER  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
	END
	put 644 "$work/changelog" usr/share/doc/passenger-toolkit/changelog
	gzip -9n "$STAGE/usr/share/doc/passenger-toolkit/changelog"
	cat >"$work/changes.yaml" <<-END
		- semver: $VERSION
		  date: $(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
		  packager: $MAINTAINER
		  changes:
		    - note: passenger-news(7) says what is new.
	END
	mkdir "$STAGE-doc"
	mv "$STAGE/usr/share/man" "$STAGE/usr/share/doc" "$STAGE-doc/"
	(cd "$STAGE-doc" && find . -type f | LC_ALL=C sort | sed "s|^\./\(.*\)|  - {src: $STAGE-doc/\1, dst: /usr/share/\1, type: doc, packager: rpm}|") >"$work/documentation"
	echo "  - {dst: /usr/share/doc/passenger-toolkit, type: dir, packager: rpm}" >>"$work/documentation"
	sed "/^  # build.sh names/r $work/documentation" lib/dist/package/nfpm.yaml >"$work/nfpm.yaml"
}

for ARCH; do
	STAGE=$work/stage-$ARCH
	export ARCH STAGE VERSION SOURCE_DATE_EPOCH MAINTAINER
	stage
	for kind in deb rpm apk; do
		[ $kind != rpm ] || echo "changelog: $work/changes.yaml" >>"$work/nfpm.yaml"
		# What a version of Alpine may hold is little: 0.1.0+DATE.COMMIT is 0.1.0_pDATE-r0.
		[ $kind != apk ] || sed -i "/^changelog:/d; s/^version: .*/version: $(echo "$VERSION" | sed 's/+\([0-9]*\).*/_p\1/; s/-/_/g')-r0/" "$work/nfpm.yaml"
		"$work/tools/nfpm" package --config "$work/nfpm.yaml" --packager $kind --target "$out" >"$work/said" || { cat "$work/said" >&2; exit 1; }
	done
done
(cd "$out" && sha256sum ./*.deb ./*.rpm ./*.apk >SHA256SUMS)
ls -l "$out"
