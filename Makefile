# What there is to do here: make run, test, test-distros, test-vm, bench, build, packages, install, fmt, fuzz, cover, chaos, faults, soak.

BIN     ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/passenger/bin
PREFIX  ?= /usr/local
APP     ?= lib/dist/demo
PORT    ?= 3000
RELEASE := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X passenger/lib/cli.Release=0.1.0-$(RELEASE)

# The newest that know this Go; versions, so that they say the same tomorrow.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
DEADCODE    := golang.org/x/tools/cmd/deadcode@v0.51.0
UNPARAM     := mvdan.cc/unparam@v0.0.0-20260823230713-2fa3d841b0c8
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
GOTESTSUM   := gotest.tools/gotestsum@v1.13.0

.PHONY: run build install packages test test-distros test-vm check vulncheck prepare unit scripts bench fmt fuzz fuzz-smoke cover chaos faults soak

run: build
	@exec $(BIN)/passenger start -p $(PORT) $(APP)

build:
	@mkdir -p $(BIN)
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/...
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/passenger-demo ./lib/dist/demo
	@install -m 755 lib/dist/passenger lib/dist/passenger-config $(BIN)/

install: build
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BIN)/passenger $(BIN)/passenger-config $(BIN)/passenger-spawn $(BIN)/passenger-pool $(BIN)/passenger-proxy $(BIN)/passenger-status $(BIN)/passenger-demo $(DESTDIR)$(PREFIX)/bin
	install -D -m 644 lib/dist/demo/Passengerfile.json $(DESTDIR)$(PREFIX)/share/passenger/demo/Passengerfile.json
	for file in nginx/passenger.conf nginx/app.conf apache/passenger.conf; do install -D -m 644 lib/dist/$$file $(DESTDIR)$(PREFIX)/share/passenger/$$file; done
	install -D -m 755 lib/dist/certbot/passenger $(DESTDIR)$(PREFIX)/share/passenger/certbot/passenger
	cd lib/dist && for file in $$(find $$(cat package/share) -type f); do mode=644; [ ! -x $$file ] || mode=755; install -D -m $$mode $$file $(DESTDIR)$(PREFIX)/share/passenger/$$file; done
	lib/dist/package/completions.sh $(DESTDIR)$(PREFIX)/share
	for page in man/*.[1-8]; do install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done

# packages makes deb, rpm and apk of each architecture in PACKAGES, with their sums.
PACKAGES ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/passenger/packages
ARCHS    ?= amd64 arm64
packages:
	@lib/dist/package/build.sh $(PACKAGES) $(ARCHS)

# lint-packages checks them; needs lintian, rpmlint, rpm and cpio.
.PHONY: lint-packages
lint-packages: packages
	@lib/dist/package/lint.sh $(PACKAGES)

# test makes these parts, all of them whatever becomes of one, and prints how
# long each took.
PARTS ?= prepare check unit scripts fuzz-smoke
test:
	@MAKE='$(MAKE)' testscripts/parts.sh $(PARTS)

# env(1) gives back the signals that a shell's background job or nohup(1) ignores:
# what ignores SIGINT from its start on, a shell above all, never hears ctrl-c.
unit:
	@packages=$$(go list ./... | grep -v /testscripts$$) && env --default-signal go run $(GOTESTSUM) $(RERUN) --packages "$$packages" -- -race -timeout 20m

# scripts drives the real programs. As many run at once as Go has processors:
# GOMAXPROCS=4 make scripts.
scripts:
	@go run $(GOTESTSUM) $(RERUN) --packages ./testscripts -- -race -timeout 60m

# RERUN has the few tests that failed run once more, alone: on a machine that is
# shared and noisy that tells a slow moment from a defect. A data race, a panic, or
# more failures than these, parents counted, is final. RERUNS, if it is given, is a
# file for the names of what was run again.
RERUN := --format pkgname --format-icons text --hide-summary skipped \
	--rerun-fails=1 --rerun-fails-max-failures=8 --rerun-fails-abort-on-data-race $(if $(RERUNS),--rerun-fails-report=$(RERUNS))

# test-distros runs the tests of apps inside chroots of Debian suites, with their
# runtimes and frameworks, and prints a table; SHORT=yes leaves out what is not in it.
SUITES ?= bookworm trixie forky
test-distros: prepare
	@testscripts/distros/distros.sh $(SUITES)

# test-npm builds applications of npm's frameworks as of today (Next, Nuxt,
# SvelteKit, NestJS, React Router, Node-RED), serves them, and prints a table.
.PHONY: test-npm
test-npm:
	@testscripts/npm/npm.sh

# test-vm boots a virtual machine of each Debian suite with systemd as process 1,
# installs the package there and tests the units; needs root, qemu and 20 minutes.
VM_SUITES ?= trixie bookworm
test-vm:
	@testscripts/vm/vm.sh $(VM_SUITES)

# test-upgrade installs a newer package under RATE requests a second and WEBSOCKETS
# WebSockets, in a chroot, and counts what is lost; needs root and a quiet machine.
.PHONY: test-upgrade
test-upgrade:
	@testscripts/vm/upgrade.sh

# test-hosts makes three to eight hosts out of network namespaces, behind HAProxy, under
# HOSTS_RATE requests a second (300); stops, kills, upgrades and cuts them off, scales them by
# /scale, and prints a table. Needs root and 12 minutes; HOSTS="agent kill" chooses.
.PHONY: test-hosts
test-hosts:
	@testscripts/hosts/hosts.sh $(HOSTS)

# test-tools runs the Ansible role on a copy of a chroot of Debian, with the package of
# this checkout, twice, and serves by what it wrote; needs root and 300 MB of Ansible.
.PHONY: test-tools
test-tools:
	@testscripts/tools/ansible.sh

# image makes container images without a container engine: an OCI layout and
# docker-archives in IMAGES. Root makes all; KINDS=programs needs no root. test-image
# makes them anew and runs each with runc; it needs root and a few minutes.
IMAGES ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/passenger/images
KINDS  ?= programs ruby python node
.PHONY: image test-image
image:
	@lib/dist/image/build.sh $(IMAGES) $(KINDS)
test-image:
	@testscripts/image/image.sh $(filter-out programs,$(KINDS))

# test-kubernetes checks lib/dist/kubernetes against schemas and on a real Kubernetes in a
# virtual machine of one node; it needs root, qemu, and the first time an hour.
# check-manifests does the first alone, in 20 seconds.
.PHONY: test-kubernetes check-manifests
test-kubernetes:
	@testscripts/kubernetes/kubernetes.sh
check-manifests:
	@testscripts/kubernetes/manifests.sh

# prepare installs what the tests need, or says what is missing and fails.
prepare:
	@testscripts/prepare.sh

check:
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go mod tidy -diff
	go run $(STATICCHECK) ./...
	@echo "go run $(DEADCODE) ./..."; unreachable=$$(go run $(DEADCODE) ./...) || exit 1; \
		[ -z "$$unreachable" ] || { echo "only tests reach these, or nothing does:"; echo "$$unreachable"; exit 1; }
	go run $(UNPARAM) ./...
	@$(MAKE) --no-print-directory vulncheck
	mandoc -Tlint -Wwarning man/*.[1-8]
	shellcheck lib/dist/passenger lib/dist/passenger-config lib/dist/certbot/passenger testscripts/apps/front/*.sh testscripts/*.sh testscripts/bench/*.sh testscripts/distros/*.sh testscripts/npm/*.sh testscripts/vm/*.sh testscripts/vm/guest/*.sh testscripts/vm/guest/vmtest testscripts/vm/guest/upgrade lib/dist/ci/deploy.sh lib/dist/package/build.sh lib/dist/package/completions.sh lib/dist/package/lint.sh lib/dist/package/postinst lib/dist/package/prerm lib/dist/package/postrm
	shellcheck testscripts/tools/*.sh testscripts/image/*.sh testscripts/kubernetes/*.sh testscripts/kubernetes/guest/*.sh lib/dist/image/build.sh
	shellcheck lib/dist/init/run lib/dist/init/ready lib/dist/init/stop-apps lib/dist/init/sysv/passenger lib/dist/init/runit/*/* lib/dist/init/s6/*/run

# vulncheck looks the modules up in the vulnerability database that GOVULNDB
# names by its URL. A machine without one is told so.
vulncheck:
	@if [ -z "$$GOVULNDB" ]; then \
		echo "vulncheck: not run: GOVULNDB is not set; give it the URL of a Go vulnerability database (https: or file:)"; \
	else \
		echo "go run $(GOVULNCHECK) -db $$GOVULNDB ./..."; go run $(GOVULNCHECK) -db "$$GOVULNDB" ./...; \
	fi

bench: build
	@testscripts/bench/bench.sh $(ROWS)

fmt:
	gofmt -w .

# fuzz tries so many random inputs on each fuzz target, or tries for so long:
# FUZZTIME=1m. Go before 1.27 may end the latter with "context deadline exceeded"
# (go.dev/issue/75804), which is no finding: a finding names its file.
FUZZTIME ?= 100000x
fuzz:
	@for package in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$package/*_test.go); do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$package || exit 1; \
		done; \
	done

# fuzz-smoke is so little of it that it belongs to every test: a few hundred
# inputs, seconds for each target however slow it is.
fuzz-smoke:
	@$(MAKE) --no-print-directory fuzz FUZZTIME=300x

# cover runs the scripts with programs that count which of their statements run,
# and prints the share of each package, commands first. It has no race detector,
# and is no part of test: each program counts in memory that all its threads
# share, and says on standard error what it could not write. What SIGKILL ends
# counts nothing.
COVERDIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/passenger/cover
cover:
	@rm -rf $(COVERDIR) && mkdir -p $(COVERDIR) && chmod 1777 $(COVERDIR)
	PASSENGER_TEST_COVER=$(COVERDIR) go test -count=1 -timeout 60m ./testscripts $(ARGS)
	@go tool covdata percent -i $(COVERDIR) | sed 's/^[[:space:]]*//' | sort

# chaos kills parts of a server at random under load for CHAOS_TIME, at most 30
# seconds, and checks that nothing is lost; SEED repeats what happened.
CHAOS_TIME ?= 20s
SEED       ?= $(shell date +%s)
chaos:
	go test -count=1 -timeout 5m ./testscripts -run 'TestScripts/chaos' -chaos $(CHAOS_TIME) -chaos-seed $(SEED) -v

# faults counts what clients notice of each of some faults, of 2,000 requests.
faults:
	go test -count=1 -timeout 10m ./testscripts -run 'TestScripts/^faults$$' -faults -v

# soak runs a mixed load of SOAK_RATE requests a second for SOAK_TIME, at most
# nine minutes, and checks that none fails and that no daemon grows.
SOAK_TIME ?= 9m
SOAK_RATE ?= 500
soak:
	go test -count=1 -timeout 12m ./testscripts -run 'TestScripts/soak' -soak $(SOAK_TIME) -soak-rate $(SOAK_RATE) -v
