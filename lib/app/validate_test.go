package app

import (
	"path/filepath"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

func TestNameOf(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{
		"/srv/shop":                         "shop",
		"/srv/My Shop!":                     "my-shop",
		"/srv/shop/current":                 "shop",
		"/srv/shop/releases/20260101120000": "shop",
		"/srv/.hidden":                      "hidden",
		"/srv/日本":                           "app",
		"/":                                 "app",
		"/srv/" + strings.Repeat("a", 39) + "-xyz": strings.Repeat("a", 39),
		"/srv/a.example.com":                       "a.example.com",
	} {
		if got := NameOf(dir); got != want {
			t.Errorf("%s: got %q, want %q", dir, got, want)
		}
	}
}

func TestNameOfIsAlwaysValid(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"/", "/-", "/...", "/ÄÖ", "/a b", "/x/current", "/current", "/releases/x", "/" + strings.Repeat("-a", 60)} {
		if err := checkName(protocol.AppConfig{Name: NameOf(dir)}); err != nil {
			t.Errorf("%s: name %q: %v", dir, NameOf(dir), err)
		}
	}
}

func TestDefaultsAreValidAndStay(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	c := WithDefaults(protocol.AppConfig{AppRoot: root})
	if err := Validate(c); err != nil {
		t.Fatal(err)
	}
	if *c.MinInstances != 1 || c.Environment != "production" || c.StartTimeout != 90 || c.QueueSize != nil || *c.FriendlyErrors || c.BaseURI != "/" {
		t.Errorf("got %+v", c)
	}
	zero, no := 0, false
	c = WithDefaults(protocol.AppConfig{
		AppRoot: root, MinInstances: &zero, QueueSize: &zero, FriendlyErrors: &no, Environment: "development",
		BaseURI: "shop/", ServerNames: []string{"Shop.Example."}, Type: "nodejs",
	})
	if *c.MinInstances != 0 || *c.QueueSize != 0 || *c.FriendlyErrors || c.BaseURI != "/shop" || c.ServerNames[0] != "shop.example" || c.Type != protocol.TypeNode {
		t.Errorf("got %+v", c)
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"file": ""})
	number := func(n int) *int { return &n }
	for _, tt := range []struct {
		c    protocol.AppConfig
		want string
	}{
		{protocol.AppConfig{Name: "My Shop"}, `app "My Shop": a name has 1 to 40 characters`},
		{protocol.AppConfig{Name: "../x"}, "a name has 1 to 40 characters"},
		{protocol.AppConfig{AppRoot: "relative"}, `app_root "relative" is not an absolute path`},
		{protocol.AppConfig{AppRoot: filepath.Join(root, "missing")}, "no such file or directory"},
		{protocol.AppConfig{AppRoot: filepath.Join(root, "file")}, "is not a directory"},
		{protocol.AppConfig{Type: "rak"}, `unknown app_type "rak"; did you mean "rack"? (known: rack, wsgi, asgi, node, generic)`},
		{protocol.AppConfig{Type: "generic"}, `app_type "generic" needs app_start_command`},
		{protocol.AppConfig{Type: "rack", StartCommand: "x"}, `app_start_command goes with app_type "generic", not "rack"`},
		{protocol.AppConfig{StartupFile: "../config.ru"}, "is not below the app root"},
		{protocol.AppConfig{StartupFile: "/etc/passwd"}, "is not below the app root"},
		{protocol.AppConfig{MinInstances: number(-1)}, "min_instances is -1; it must be 0 to 10000"},
		{protocol.AppConfig{MinInstances: number(3), MaxInstances: 2}, "the minimum is over the maximum"},
		{protocol.AppConfig{MaxInstances: 20000}, "max_instances is 20000"},
		{protocol.AppConfig{QueueSize: number(-1)}, "max_request_queue_size is -1"},
		{protocol.AppConfig{MaxConcurrency: number(-1)}, "force_max_concurrent_requests_per_process is -1"},
		{protocol.AppConfig{StartTimeout: -1}, "start_timeout is -1 seconds; it must be over 0 and at most 86400"},
		{protocol.AppConfig{StopGrace: 1e9}, "stop_grace is 1e+09 seconds"},
		{protocol.AppConfig{MaxRequestTime: -1}, "max_request_time is -1 seconds; it must be 0 to 86400"},
		{protocol.AppConfig{MemoryLimit: -1}, "memory_limit is -1"},
		{protocol.AppConfig{WatchErrors: new(5.0)}, "watch_errors is 5; it is a share, 0 or more and under 1"},
		{protocol.AppConfig{HealthPath: "up"}, `health_check_path: "up" is not a path of the app; it is to begin with "/"`},
		{protocol.AppConfig{HealthPath: "/up", BaseURI: "/shop"}, `"/up" is not a path of the app; it is to begin with "/shop"`},
		{protocol.AppConfig{WarmUp: []string{"/a b"}}, `warm_up_requests: "/a b" has ' ' in it`},
		{protocol.AppConfig{ServerNames: []string{"a b"}}, `"a b" is not a host name`},
		{protocol.AppConfig{ServerNames: []string{"*"}}, `a wildcard has the form`},
		{protocol.AppConfig{ServerNames: []string{"shop.test:8080"}}, `server_names: "shop.test:8080" has a port; an app answers on all of the proxy's`},
		{protocol.AppConfig{ServerNames: []string{"[::1]:80"}}, `has a port`},
		{protocol.AppConfig{ServerNames: []string{"::1"}}, `write an IPv6 address as "[::1]"`},
		{protocol.AppConfig{BaseURI: "/a/../b"}, "is not a plain path"},
		{protocol.AppConfig{BaseURI: "/a?b"}, "is not a plain path"},
		{protocol.AppConfig{BaseURI: "/café"}, `base_uri "/café" has 'é' in it; no request has, as clients encode it`},
		{protocol.AppConfig{BaseURI: "/a\tb"}, `has '\t' in it`},
		{protocol.AppConfig{EnvVars: map[string]string{"A=B": ""}}, "cannot be the name of an environment variable"},
		{protocol.AppConfig{EnvVars: map[string]string{"A": "\x00"}}, "NUL"},
		{protocol.AppConfig{StartCommand: "a\x00b"}, "NUL"},
		{protocol.AppConfig{User: "a\x00b"}, "NUL"},
		{protocol.AppConfig{Serving: protocol.Serving{AddedHeaders: "al"}}, `unknown added_headers "al"; did you mean "all"? (known: few, all)`},
		{protocol.AppConfig{SpawnMethod: "smrt"}, `unknown spawn_method "smrt"; did you mean "smart"? (known: smart, direct)`},
		{protocol.AppConfig{PreloaderIdleTime: new(-1.0)}, "max_preloader_idle_time is -1 seconds"},
		{protocol.AppConfig{ReforkAfter: -1}, "refork_after is -1; it must be 0 to"},
		{protocol.AppConfig{Threads: 1001}, "threads is 1001; it must be 1 to 1000"},
		{protocol.AppConfig{Umask: "0888"}, `umask "0888" is not octal`},
		{protocol.AppConfig{Umask: "1777"}, `umask "1777" is not octal`},
		{protocol.AppConfig{RLimits: []string{"nofiles=1"}}, `rlimits: unknown limit "nofiles"; did you mean "nofile"?`},
		{protocol.AppConfig{RLimits: []string{"nofile=many"}}, `limit nofile: "many" is neither a number nor "unlimited"`},
		{protocol.AppConfig{Nice: 20}, "nice is 20; it must be -20 to 19"},
		{protocol.AppConfig{OOMScoreAdj: -1001}, "oom_score_adj is -1001; it must be -1000 to 1000"},
		{protocol.AppConfig{MemoryMax: -1}, "memory_max is -1"},
		{protocol.AppConfig{PIDsMax: -1}, "pids_max is -1"},
		{protocol.AppConfig{CPUWeight: 10001}, "cpu_weight is 10001; it must be 0 to 10000"},
	} {
		if tt.c.AppRoot == "" {
			tt.c.AppRoot = root
		}
		err := Validate(WithDefaults(tt.c))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got error %v, want one with %q", err, tt.want)
		}
	}
}

func TestValidateTellsAllAtOnce(t *testing.T) {
	t.Parallel()
	c := WithDefaults(protocol.AppConfig{AppRoot: t.TempDir(), Name: "x", StartTimeout: -1, Nice: 40, MaxRequests: -1})
	c.IdleTime = -1
	want := `app "x": 4 settings are wrong:
  max_requests is -1; it must be 0 to 2147483647
  start_timeout is -1 seconds; it must be over 0 and at most 86400
  pool_idle_time is -1 seconds; it must be over 0 and at most 86400
  nice is 40; it must be -20 to 19`
	if err := Validate(c); err == nil || err.Error() != want {
		t.Errorf("got error %v, want\n%s", err, want)
	}
}
