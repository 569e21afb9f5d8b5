package main

import "testing"

// A port for those who watch is one of the network: what --listen takes besides is
// refused.
func TestPortsAreOfTheNetwork(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"": true, ":9090": true, "127.0.0.1:9090": true, "[::1]:9090": true, "localhost:0": true, "unix.example:80": true,
		"9090": false, "127.0.0.1:": false, "tls::9090": false, "::1:9090": false,
		"unix:/run/admin.sock": false, "unix:admin.sock": false, "fd:3": false, "fd:admin": false,
	} {
		if err := checkPort("--admin-listen", address); (err == nil) != ok {
			t.Errorf("%q: got error %v", address, err)
		}
	}
}
