package hosts

import (
	"testing"

	"passenger/lib/protocol"
)

func TestWhichHostIsCanonical(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ canonical, host, path, want string }{
		{"www.example.com", "www.example.com", "/", ""}, {"www.example.com", "WWW.example.COM", "/", ""}, {"www.example.com", "www.example.com:8080", "/", ""},
		{"www.example.com", "example.com", "/", "www.example.com"}, {"www.example.com", "example.com:8080", "/", "www.example.com:8080"},
		{"www.example.com", "192.0.2.1", "/", "www.example.com"}, {"www.example.com", "[2001:db8::1]:80", "/", "www.example.com:80"},
		{"www.example.com", "www.example.com.", "/", "www.example.com"}, {"www.example.com", "", "/", ""},
		{"www.example.com:8443", "www.example.com", "/", "www.example.com:8443"}, {"www.example.com:8443", "www.example.com:8443", "/", ""},
		{"www.example.com:8443", "a.test:80", "/", "www.example.com:8443"},
		{"www.example.com", "10.0.0.1:80", "/up", ""}, {"www.example.com", "10.0.0.1:80", "/up/", "www.example.com:80"},
		{"[2001:db8::1]:80", "[2001:DB8::1]:80", "/", ""},
		{"www.example.com:443", "www.example.com", "/", ""}, {"www.example.com:443", "www.example.com:", "/", ""}, // clients of HTTPS say no port 443
		{"www.example.com:443", "www.example.com:80", "/", "www.example.com:443"}, {"www.example.com:80", "www.example.com", "/", "www.example.com:80"},
	} {
		to := NewCanonical(&protocol.Route{HealthPath: "/up?deep=1", Serving: protocol.Serving{CanonicalHost: c.canonical}}).Instead([]byte(c.host), []byte(c.path), "443")
		if string(to) != c.want {
			t.Errorf("%s, %s%s: got %q, want %q", c.canonical, c.host, c.path, to, c.want)
		}
	}
	if NewCanonical(&protocol.Route{}) != nil {
		t.Error("without a setting there is one")
	}
}
