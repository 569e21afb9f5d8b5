package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

// tree writes files below a new directory: names to contents; a name that
// ends in "/" is a directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		dir := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
}

func TestParseNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ json, want string }{
		{`{"stat_timeout": 1}`, `unknown key "stat_timeout"; did you mean "start_timeout"?`},
		{`{"zzzzzz": 1}`, `unknown key "zzzzzz"`},
		{`{"Name": "x"}`, `unknown key "Name"; did you mean "name"?`},
		{`{"name": null}`, `key "name" is null; leave it out for the default`},
		{`{"envvars": {"A": 1}}`, `key "envvars" takes an object of strings, not a number in it`},
		{`{"envvars": []}`, `key "envvars" takes an object of strings, not a list`},
		{`{"server_names": "x"}`, `key "server_names" takes a list of strings, not a string`},
		{`{"server_names": ["x", 1]}`, `key "server_names" takes a list of strings, not a number in it`},
		{`{"min_instances": 1.5}`, `key "min_instances" takes a whole number, not 1.5`},
		{"{\n\"min_instances\": true}", `line 2: key "min_instances" takes a whole number, not true or false`},
		{`{"start_timeout": "9"}`, `key "start_timeout" takes a number, not a string`},
		{`{"friendly_error_pages": 1}`, `key "friendly_error_pages" takes true or false, not a number`},
		{"{\n\"name\": \"x\",\n}", `line 3: not JSON: a comma before "}"; JSON has none behind the last`},
		{`{"name": "x" "environment": "y"}`, `line 1: not JSON: a comma or a colon is missing before "\""`},
		{"{\"max_requests\": 5\n\"name\": \"x\"}", `line 2: not JSON: a comma or a colon is missing before "\""`},
		{``, "not JSON: the file is empty; without any settings it is {}"},
		{" \r\n", "not JSON: the file is empty"},
		{`{} x`, `not JSON: "x" after the end of the settings`},
		{`[1]`, "the settings are a list, not an object"},
		{`"x"`, "the settings are a string, not an object"},
		{"{ // the shop\n\"name\": \"x\"}", `line 1: not JSON: "/"; JSON has no comments`},
		{"# the shop\n{}", `line 1: not JSON: "#"; JSON has no comments`},
		{"\ufeff# the shop", `line 1: not JSON: "#"; JSON has no comments`},
		{`{'name': "x"}`, `not JSON: "'"; JSON has strings in double quotation marks`},
		{"{\n\"name\": \"x", "line 2: not JSON: the file ends too early"},
		{"{\n\"name\": \"x\n\"}", "line 2: not JSON: a line ends inside a string"},
		{"\xff\xfe{\x00}\x00", "not JSON: the file is in UTF-16; save it as UTF-8"},
		{`{"name": über}`, `not JSON: unexpected "ü"`},
		{"{\"\x1b[31m\": 1}", `not JSON: unexpected "\x1b"`},
		{`{"min_instances": 99999999999999999999}`, `key "min_instances": 99999999999999999999 is too large a number`},
		{`{"NAME": "x"}`, `unknown key "NAME"; did you mean "name"?`},
		{"{\n\"min_instances\": 1,\n\"min_instances\": 2}", `line 3: key "min_instances" stands twice; remove one of the two`},
		{`{"envvars": {"LANG": "C", "LANG": "de"}}`, `key "envvars.LANG" stands twice`},
		{`{"nginx_bin": 1, "nginx_bin": 2}`, `key "nginx_bin" stands twice`},
		{`{"a": 1, "a": 2}`, "3 settings are wrong:\n  line 1: key \"a\" stands twice"},
	} {
		_, err := Parse([]byte(tt.json))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got error %v, want one with %q", tt.json, err, tt.want)
		}
	}
}

func TestParseTakesAByteOrderMark(t *testing.T) {
	t.Parallel()
	c, err := Parse([]byte("\ufeff{\r\n\"name\": \"shop\"\r\n}\r\n"))
	if err != nil || c.Name != "shop" {
		t.Errorf("got name %q and error %v, want the settings behind the mark", c.Name, err)
	}
}

// TestEverySettingOfTheWrongTypeIsRefused also has every key misspelt.
func TestEverySettingOfTheWrongTypeIsRefused(t *testing.T) {
	t.Parallel()
	values := map[string]string{ // JSON by the words for what takes it
		"a string": `"x"`, "true or false": "true", "a whole number": "7", "a number": "1.5", "a list of strings": `["x"]`, "an object of strings": `{"A": "x"}`,
		"an object of objects": `{"A": {"count": 2}}`,
	}
	for key, kind := range known {
		takes := kindName(kind)
		for other, value := range values {
			if other == takes || takes == "a number" && other == "a whole number" {
				continue
			}
			_, err := Parse(fmt.Appendf(nil, "{%q: %s}", key, value))
			wantError(t, err, fmt.Sprintf("key %q takes %s, not ", key, takes))
		}
		_, err := Parse(fmt.Appendf(nil, "{%q: %s}", key, values[takes]))
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
		for _, misspelt := range []string{strings.ToUpper(key[:1]) + key[1:], key + "x"} {
			_, err := Parse(fmt.Appendf(nil, "{%q: %s}", misspelt, values[takes]))
			wantError(t, err, fmt.Sprintf("unknown key %q; did you mean %q?", misspelt, key))
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"plain/config.ru":           "",
		"set/Passengerfile.json":    `{"app_type": "rack", "min_instances": 0, "envvars": {"A": "b"}}`,
		"moved/Passengerfile.json":  `{"app_root": "real"}`,
		"moved/real/":               "",
		"broken/Passengerfile.json": `{"nam": "x"}`,
		"big/Passengerfile.json":    `{"name": "` + strings.Repeat("x", maxFile) + `"}`,
		"file":                      "",
	})
	zero := 0
	for dir, want := range map[string]protocol.AppConfig{
		"plain": {AppRoot: filepath.Join(root, "plain")},
		"set":   {AppRoot: filepath.Join(root, "set"), Type: "rack", MinInstances: &zero, EnvVars: map[string]string{"A": "b"}},
		"moved": {AppRoot: filepath.Join(root, "moved/real")},
	} {
		got, err := Load(filepath.Join(root, dir))
		if err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", dir, diff)
		}
	}
	for dir, want := range map[string]string{
		"broken":  `Passengerfile.json: unknown key "nam"; did you mean "name"?`,
		"big":     "larger than",
		"missing": "no such file or directory",
		"plian":   `no such file or directory; did you mean "plain"?`,
		"file":    "not a directory",
	} {
		_, err := Load(filepath.Join(root, dir))
		wantError(t, err, want)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	var c protocol.AppConfig
	for _, kv := range [][2]string{
		{"min_instances", "2"}, {"environment", "test"}, {"name", "007"}, {"start_timeout", "1.5"},
		{"server_names", `["a.example"]`}, {"friendly_error_pages", "true"}, {"envvars", `{"A":"b"}`},
	} {
		if err := Set(&c, kv[0], kv[1]); err != nil {
			t.Errorf("%s: %v", kv[0], err)
		}
	}
	two, yes := 2, true
	want := protocol.AppConfig{
		MinInstances: &two, Environment: "test", Name: "007", StartTimeout: 1.5,
		ServerNames: []string{"a.example"}, FriendlyErrors: &yes, EnvVars: map[string]string{"A": "b"},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	wantError(t, Set(&c, "min_instances", "many"), `key "min_instances" takes a whole number, not "many"`)
	wantError(t, Set(&c, "minn_instances", "1"), `did you mean "min_instances"?`)
	if *c.MinInstances != 2 {
		t.Errorf("min_instances after a value that does not fit: got %d, want 2", *c.MinInstances)
	}
}

// One file serves Phusion Passenger and this server. These are the options of
// the former, all that can stand in a Passengerfile.json, and those of its web
// server modules under the same names.
func TestOptionsOfPassengerAreKeysOrExplained(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ kind, keys string }{
		{"key", `
		user environment app_type startup_file app_start_command ruby python nodejs envvars static_files_dir restart_dir base_uri app_root
		min_instances max_instances pool_idle_time max_preloader_idle_time force_max_concurrent_requests_per_process start_timeout
		memory_limit max_request_time max_requests max_request_queue_size max_request_queue_time sticky_sessions sticky_sessions_cookie_name
		sticky_sessions_cookie_attributes turbocaching vary_turbocache_by_cookie spawn_method friendly_error_pages custom_error_page
		load_shell_envvars abort_websockets_on_process_shutdown app_log_file server_names group read_timeout
		response_buffer_high_watermark request_queue_overflow_status_code buffer_response buffer_upload`},
		{"warning", `
		address port socket_file ssl ssl_certificate ssl_certificate_key ssl_port daemonize log_file pid_file instance_registry_dir
		data_buffer_dir spawn_dir engine nginx_config_template nginx_bin nginx_version nginx_tarball debug_nginx_config binaries_url_root
		auto max_pool_size concurrency_model thread_count rolling_restarts resist_deployment_errors preload_bundler debugger ctl ctls
		log_level admin_panel_url admin_panel_auth_type admin_panel_username admin_panel_password unlimited_concurrency_paths
		core_file_descriptor_ulimit app_file_descriptor_ulimit disable_security_update_check security_update_check_proxy
		disable_anonymous_telemetry anonymous_telemetry_proxy disable_log_prefix defer_port_binding hard_memory_limit socket_backlog
		stat_throttle_rate show_version_in_header direct_instance_request_address file_descriptor_log_file fly_with pre_start
		dump_config_manifest abort_on_startup_error user_switching default_user default_group default_ruby max_instances_per_app
		analytics_collection_rate app_group_name app_rights lve_min_uid monitor_log_file spawn_exception_status_code
		request_queue_timeout_status_code pass_header ignore_headers headers_hash_max_size headers_hash_bucket_size
		ignore_client_abort buffer_size buffers busy_buffers_size temp_path request_buffering
		intercept_errors allow_encoded_slashes high_performance document_root max_out_of_band_work_instances runtime_check_only
		hook_spawn_failed hook_attached_process hook_queue_full_error union_station_key controller_threads`},
		{"error", `
		rackup app_env rails_env rack_env node_env wsgi_env load_shell_envs meteor_app_settings app_support_kuria_protocol
		server_name enabled set_header`},
	} {
		for _, key := range strings.Fields(tt.keys) {
			c, err := Parse(fmt.Appendf(nil, `{%q: {}}`, key))
			kind := "warning"
			switch {
			case slices.Contains(Keys(), key):
				kind = "key"
			case err != nil:
				kind = "error"
				wantError(t, err, fmt.Sprintf("unknown key %q, which Phusion Passenger has: ", key))
			case len(Warnings(c)) != 1 || !strings.Contains(Warnings(c)[0], fmt.Sprintf("key %q of Phusion Passenger has no meaning here: ", key)):
				t.Errorf("%s: got warnings %q, want what takes its place", key, Warnings(c))
			}
			if kind != tt.kind {
				t.Errorf("%s is a case of %s, want %s: %v", key, kind, tt.kind, err)
			}
			if kind == "key" && instead[key]+unused(key) != "" {
				t.Errorf("%s is a key, and explained as if it were none", key)
			}
		}
	}
	_, err := Parse([]byte(`{"rackup": "x.ru"}`))
	wantError(t, err, `unknown key "rackup", which Phusion Passenger has: use "startup_file"`)
	c := protocol.AppConfig{}
	wantError(t, Set(&c, "thread_count", "4"), `unknown key "thread_count", which Phusion Passenger has: use "threads"`)
}

func TestParseTellsAllAtOnceInOrder(t *testing.T) {
	t.Parallel()
	const file = `{
	"zoo": 1, "port": 80, "envvars": {"A": 1},
	"min_instances": "2",
	"colour": "red", "nginx_bin": "/x", "name": "fine"
}`
	const want = `4 settings are wrong:
  unknown key "colour"
  line 2: key "envvars" takes an object of strings, not a number in it
  line 3: key "min_instances" takes a whole number, not a string
  unknown key "zoo"`
	for range 8 { // the order of a map would differ
		c, err := Parse([]byte(file))
		if err == nil || err.Error() != want {
			t.Fatalf("got error %v, want\n%s", err, want)
		}
		if diff := cmp.Diff([]string{"nginx_bin", "port"}, c.Unused); diff != "" {
			t.Fatal(diff)
		}
	}
}

// No read waits for a writer of a FIFO, in an app's directory or another.
func TestSettingsAreARegularFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, File), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"Load": func() error { _, err := Load(dir); return err },
		"Read": func() error { _, err := Read(filepath.Join(dir, File)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan error, 1)
			go func() { got <- read() }()
			select {
			case err := <-got:
				if err == nil || !strings.Contains(err.Error(), "not a regular file") {
					t.Errorf("got %v", err)
				}
			case <-time.After(time.Minute):
				t.Error("it waits")
			}
		})
	}
}
