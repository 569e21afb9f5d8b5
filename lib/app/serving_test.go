package app

import (
	"strings"
	"testing"

	"passenger/lib/protocol"
)

func TestDirectoriesOfNamedFilesAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dirs      []string
		locations map[string]string
		want      string
	}{
		{[]string{"private", "/data"}, map[string]string{"/": "a", "/p/q/": "/b"}, ""},
		{[]string{""}, nil, `sendfile_dirs: "" is not a directory`},
		{[]string{"a\x00"}, nil, `sendfile_dirs: "a\x00" is not a directory`},
		{[]string{"a\r\nb"}, nil, "is not a directory"},
		{nil, map[string]string{"/p/": ""}, `accel_locations: "" for "/p/" is not a directory`},
		{nil, map[string]string{"/p": "a"}, "with a slash at each end"},
		{nil, map[string]string{"p/": "a"}, "with a slash at each end"},
		{nil, map[string]string{"": "a"}, "with a slash at each end"},
		{nil, map[string]string{"/%70/": "a"}, "is not the beginning of a path"},
		{nil, map[string]string{"/a/../": "a"}, "is not the beginning of a path"},
	} {
		s := protocol.AppConfig{AppRoot: t.TempDir()}
		s.SendfileDirs, s.AccelLocations = c.dirs, c.locations
		switch err := Validate(WithDefaults(s)); {
		case err == nil && c.want != "":
			t.Errorf("%q, %q: no error, want %q", c.dirs, c.locations, c.want)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q, %q: got %v, want %q", c.dirs, c.locations, err, c.want)
		}
	}
}

func TestMountsAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mounts, caching map[string]string
		want            string
	}{
		{map[string]string{"/": "dist", "/static/": "staticfiles", "/a/b/": "/srv/media"}, map[string]string{"/": "no-cache", "/static/": "public, max-age=60"}, ""},
		{map[string]string{"/static": "a"}, nil, "static_mounts: \"/static\" is not the beginning of a path"},
		{map[string]string{"static/": "a"}, nil, "with a slash at each end"},
		{map[string]string{"/a/../": "a"}, nil, "with a slash at each end"},
		{map[string]string{"/a//b/": "a"}, nil, "with a slash at each end"},
		{map[string]string{"/a b/": "a"}, nil, "as clients encode it"},
		{map[string]string{"/ä/": "a"}, nil, "as clients encode it"},
		{map[string]string{"/%61/": "a"}, nil, "as clients encode it"},
		{map[string]string{"/a?/": "a"}, nil, "as clients encode it"},
		{map[string]string{"/a/": ""}, nil, "static_mounts: \"\" for \"/a/\" is not a directory"},
		{map[string]string{"/a/": "b\nc"}, nil, "is not a directory"},
		{nil, map[string]string{"/a": "no-cache"}, "static_cache_control: \"/a\" is not the beginning"},
		{nil, map[string]string{"/a/": "no-cache\r\nSet-Cookie: a=b"}, "is no value of Cache-Control"},
		{nil, map[string]string{"/a/": " "}, "is no value of Cache-Control"},
	} {
		s := protocol.AppConfig{AppRoot: t.TempDir()}
		s.StaticMounts, s.StaticCacheControl = c.mounts, c.caching
		switch err := Validate(WithDefaults(s)); {
		case err == nil && c.want != "":
			t.Errorf("%q, %q: no error, want %q", c.mounts, c.caching, c.want)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q, %q: got %v, want %q", c.mounts, c.caching, err, c.want)
		}
	}
}

func TestCanonicalHostsAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host, names, want string
	}{
		{"www.example.com", "", ""}, {"WWW.Example.com.", "www.example.com", ""}, {"www.example.com:8443", "a.test www.example.com", ""},
		{"www.example.com", "*.example.com", ""}, {"[2001:db8::1]", "", ""}, {"[2001:db8::1]:80", "", ""}, {"192.0.2.1:80", "", ""},
		{"www.example.com", "example.com", "is none of the server_names"}, {"example.com", "*.example.com", "is none of the server_names"},
		{"*.example.com", "", "is not a host name, maybe with a port"}, {"www.example.com:0", "", "is not a host name"},
		{"www.example.com:99999", "", "is not a host name"}, {"a b", "", "is not a host name"}, {"https://example.com", "", "is not a host name"},
		{"example.com/", "", "is not a host name"}, {"2001:db8::1", "", "is not a host name"}, {"a\r\nb", "", "is not a host name"},
	} {
		s := protocol.AppConfig{AppRoot: t.TempDir(), ServerNames: strings.Fields(c.names)}
		s.CanonicalHost = c.host
		switch err := Validate(WithDefaults(s)); {
		case err == nil && c.want != "":
			t.Errorf("%q of %q: no error, want %q", c.host, c.names, c.want)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q of %q: got %v, want %q", c.host, c.names, err, c.want)
		}
	}
}

func TestLimitsAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		serving protocol.Serving
		want    string
	}{
		{protocol.Serving{RequestRate: 0.001, ClientRequestRate: 1e6, ClientRequestBurst: 1, RequestConcurrency: 1}, ""},
		{protocol.Serving{RequestRate: 1e-9}, "request_rate is 1e-09 requests a second; it must be 0, for no limit, or 0.001 to 1000000"},
		{protocol.Serving{ClientRequestRate: -1}, "client_request_rate is -1"}, {protocol.Serving{RequestRate: 2e6}, "request_rate is 2e+06"},
		{protocol.Serving{RequestBurst: 2}, "request_burst is 2 without request_rate"}, {protocol.Serving{ClientRequestConcurrency: -1}, "client_request_concurrency is -1"},
	} {
		s := protocol.AppConfig{AppRoot: t.TempDir(), Serving: c.serving}
		switch err := Validate(WithDefaults(s)); {
		case err == nil && c.want != "":
			t.Errorf("%+v: no error, want %q", c.serving, c.want)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v: got %v, want %q", c.serving, err, c.want)
		}
	}
}

func TestHighWaterMarkIsNotBelowWhatMemoryHolds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mark int
		want string
	}{
		{0, ""}, {131072, ""}, {1 << 40, ""},
		{1, "response_buffer_high_watermark is 1 bytes; it must be 131072"}, {131071, "131072"}, {-1, "131072"},
	} {
		s := protocol.AppConfig{AppRoot: t.TempDir()}
		s.ResponseHighWater = c.mark
		switch err := Validate(WithDefaults(s)); {
		case err == nil && c.want != "":
			t.Errorf("%d: no error, want %q", c.mark, c.want)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%d: got %v, want %q", c.mark, err, c.want)
		}
	}
}
