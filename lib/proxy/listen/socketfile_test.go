package listen

import (
	"io/fs"
	"strings"
	"testing"
)

func TestOptionsOfSockets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address, plain, why string
		mode, usual         fs.FileMode
		gid                 int
	}{
		{"unix:/run/web", "unix:/run/web", "", 0o666, 0, -1},
		{"unix:/run/web", "unix:/run/web", "", 0o660, 0o660, -1},
		{"unix:/run/web?mode=0600", "unix:/run/web", "", 0o600, 0o660, -1},
		{"tls:unix:/run/web?group=root", "tls:unix:/run/web", "", 0o666, 0, 0},
		{"secure-headers:unix:/run/web?mode=660&group=0", "secure-headers:unix:/run/web", "", 0o660, 0o600, 0},
		{"unix:/run/what?ever", "unix:/run/what?ever", "", 0o666, 0, -1}, // a path
		{":80", ":80", "", 0o666, 0, -1},
		{"[::1]:80?mode=1", "[::1]:80?mode=1", "", 0o666, 0, -1}, // which cannot be listened on
		{"unix:/run/web?mode=8", "", "not octal", 0, 0, 0},
		{"unix:/run/web?mode=01777", "", "not octal", 0, 0, 0},
		{"unix:/run/web?mode=", "", "not octal", 0, 0, 0},
		{"unix:/run/web?user=root", "", "it is mode or group", 0, 0, 0},
		{"unix:/run/web?group=no-such-group", "", "no-such-group", 0, 0, 0},
	} {
		plain, f, err := ParseSocket(c.address)
		if c.why != "" {
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%s: got %v, want %q", c.address, err, c.why)
			}
			continue
		}
		if err != nil || plain != c.plain || f.gid() != c.gid {
			t.Errorf("%s: got %q, %+v, %v", c.address, plain, f, err)
		}
		if f.Usual = c.usual; f.mode(0o666) != c.mode {
			t.Errorf("%s: got mode %o, want %o", c.address, f.mode(0o666), c.mode)
		}
	}
}
