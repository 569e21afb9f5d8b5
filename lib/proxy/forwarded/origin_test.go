package forwarded

import (
	"net/netip"
	"testing"

	"passenger/lib/http1"
)

func TestOriginIsOfWhoAsks(t *testing.T) {
	t.Parallel()
	inside := netip.MustParsePrefix("10.0.0.0/8")
	for _, tt := range []struct{ name, fields, want string }{
		{"one address", "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
		{"what the client said of itself does not count", "X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\n", "192.0.2.1"},
		{"nor in a field of its own", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
		{"a chain of our own proxies", "X-Forwarded-For: 203.0.113.9, 192.0.2.1, 10.1.1.1,10.2.2.2\r\n", "192.0.2.1"},
		{"over several fields", "X-Forwarded-For: 192.0.2.1\r\nAccept: a\r\nX-Forwarded-For: 10.1.1.1, 10.2.2.2\r\n", "192.0.2.1"},
		{"a client inside", "X-Forwarded-For: 10.3.3.3, 10.1.1.1\r\n", "10.3.3.3"},
		{"IPv4 within IPv6", "X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1"},
		{"a network of IPv6", "X-Forwarded-For: 2001:db8:1:2:3:4:5:6\r\n", "2001:db8:1:2::"},
		{"in another spelling", "X-Forwarded-For: 2001:0DB8:1:2::9%eth0\r\n", "2001:db8:1:2::"},
		{"with a port", "X-Forwarded-For: 192.0.2.1:5000\r\n", "192.0.2.1"},
		{"IPv6 with a port", "X-Forwarded-For: [2001:db8::1]:5000\r\n", "2001:db8::"},
		{"no address", "X-Forwarded-For: 192.0.2.1, unknown\r\n", "invalid IP"},
		{"none before ours", "X-Forwarded-For: unix:, 10.1.1.1\r\n", "invalid IP"},
		{"an empty one", "X-Forwarded-For: 192.0.2.1,\r\n", "invalid IP"},
		{"a field without", "X-Forwarded-For:\r\n", "invalid IP"},
		{"no field", "", "invalid IP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r http1.Request
			if done, err := r.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\n" + tt.fields + "\r\n")); !done || err != nil {
				t.Fatal(done, err)
			}
			if got := OriginBehind(&r, inside.Contains).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
