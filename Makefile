# What there is to do here: make run, test, test-distros, bench, build, install, fmt, fuzz, chaos, soak.

BIN     ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/passenger/bin
PREFIX  ?= /usr/local
APP     ?= lib/dist/demo
PORT    ?= 3000
RELEASE := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X passenger/lib/cli.Release=0.1.0-$(RELEASE)

# The newest that knows this Go; a version, so that it says the same tomorrow.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: run build install test test-distros check prepare bench fmt fuzz chaos soak

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
	for page in man/*.[1-8]; do install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done

test: prepare check
	go test -race -timeout 40m ./...

# test-distros runs the tests of apps inside chroots of Debian suites, with their
# runtimes and frameworks, and prints a table; SHORT=yes leaves out what is not in it.
SUITES ?= bookworm trixie forky
test-distros:
	@testscripts/distros/distros.sh $(SUITES)

# prepare installs what the tests need, or says what is missing and fails.
prepare:
	@testscripts/prepare.sh

check:
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	mandoc -Tlint -Wwarning man/*.[1-8]
	shellcheck lib/dist/passenger lib/dist/passenger-config testscripts/*.sh testscripts/bench/*.sh testscripts/distros/*.sh

bench: build
	@BIN=$(BIN) testscripts/bench/bench.sh

fmt:
	gofmt -w .

# fuzz gives each fuzz target a few seconds; set FUZZTIME for more.
FUZZTIME ?= 10s
fuzz:
	@for package in $$(go list ./lib/...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

# chaos kills parts of a server at random under load for CHAOS_TIME, at most 30
# seconds, and checks that nothing is lost; SEED repeats what happened.
CHAOS_TIME ?= 20s
SEED       ?= $(shell date +%s)
chaos:
	go test -count=1 -timeout 5m ./testscripts -run 'TestScripts/chaos' -chaos $(CHAOS_TIME) -chaos-seed $(SEED) -v

# soak runs a mixed load of SOAK_RATE requests a second for SOAK_TIME, at most
# nine minutes, and checks that none fails and that no daemon grows.
SOAK_TIME ?= 9m
SOAK_RATE ?= 500
soak:
	go test -count=1 -timeout 12m ./testscripts -run 'TestScripts/soak' -soak $(SOAK_TIME) -soak-rate $(SOAK_RATE) -v
