package app

import (
	"strings"
	"testing"
)

func TestFlagsOfPassengerAreAnswered(t *testing.T) {
	t.Parallel()
	known := []string{"--port", "--environment", "--min-instances"}
	for _, tt := range []struct{ flag, want string }{
		{"--daemonize", ", which Phusion Passenger has: run it under an init system"},
		{"-d", ", which Phusion Passenger has: run it under an init system"},
		{"--ssl", "passenger start --tls"},
		{"--ssl-certificate-key", "passenger start --key"},
		{"--log-file", "standard error"},
		{"--engine", "no nginx is run"},
		{"--nginx-config-template", "no nginx is run"},
		{"-R", `set "startup_file" in Passengerfile.json`},
		{"--max-requests", `set "max_requests" in Passengerfile.json`},
		{"--no-abort-websockets-on-process-shutdown", `set "abort_websockets_on_process_shutdown" in Passengerfile.json`},
		{"--disable-turbocaching", `set "turbocaching" in Passengerfile.json`},
		{"--disable-security-update-check", "nothing here calls home"},
		{"--user", "--user-switching"},
		{"--thread-count", `use "threads"`},
		{"--evironment", `; did you mean "--environment"?`},
		{"--zzzzzz", ""},
	} {
		if got := UnknownFlag(tt.flag, known); !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", tt.flag, got, tt.want)
		}
	}
	for flag := range strings.FieldsSeq(`--pid-file --auto --static-files-dir --friendly-error-pages --no-friendly-error-pages --memory-limit --app-type
		--start-timeout --spawn-method --concurrency-model --rolling-restarts --sticky-sessions --ctl --admin-panel-url --rackup --envvar
		--unlimited-concurrency-path --debugger --no-install-runtime --runtime-check-only --instance-registry-dir --data-buffer-dir
		--core-file-descriptor-ulimit --socket-backlog --log-level --ruby --python --nodejs --meteor-app-settings --defer-port-binding`) {
		if got := UnknownFlag(flag, known); !strings.HasPrefix(got, ", which Phusion Passenger has: ") {
			t.Errorf("%s: got %q, want what takes its place", flag, got)
		}
	}
}
