package files

import (
	"strings"
	"testing"

	"passenger/lib/http1"
	"passenger/lib/protocol"
)

func TestWhereAnAnswerMayNameAFile(t *testing.T) {
	t.Parallel()
	r := &protocol.Route{AppRoot: "/srv/current"}
	r.SendfileDirs = []string{"private", "/data/", "private/../shared"}
	r.AccelLocations = map[string]string{"/files/": "storage", "/files/deep/": "/deep", "/": "/all"}
	s := NewSendfile(r, (&Dirs{}).Home(r, &protocol.RouteProcess{AppRoot: "/srv/app"}))
	for _, c := range []struct{ line, dir, name, why string }{
		{"X-Sendfile: /srv/app/private/a.txt", "/srv/app/private", "a.txt", ""},
		{"x-SENDFILE: /srv/app/private/../shared/b%20c", "/srv/app/shared", "b%20c", ""},
		{"X-Sendfile: /data/d/e", "/data", "d/e", ""},
		{"X-Sendfile: /srv/current/private/a.txt", "/srv/app/private", "a.txt", ""},
		{"X-Sendfile: /srv/current/private/../config", "", "", "none of the sendfile_dirs"},
		{"X-Sendfile: /srv/current/data/e", "", "", "none of the sendfile_dirs"},
		{"X-Sendfile: /srv/app/private", "", "", "none of the sendfile_dirs"},
		{"X-Sendfile: /srv/app/privateer", "", "", "none of the sendfile_dirs"},
		{"X-Sendfile: /srv/app/private/../config", "", "", "none of the sendfile_dirs"},
		{"X-Sendfile: /etc/passwd", "", "", "none of the sendfile_dirs"},
		{"X-Sendfile: private/a.txt", "", "", "not an absolute path"},
		{"X-Sendfile:", "", "", "not an absolute path"},
		{"X-Accel-Redirect: /files/a%20b.txt?c", "/srv/app/storage", "a b.txt", ""},
		{"X-Accel-Redirect: /files/deep/x", "/deep", "x", ""},
		{"X-Accel-Redirect: /files/a%3Fb", "/srv/app/storage", "a?b", ""},
		{"X-Accel-Redirect: /other", "/all", "other", ""},
		{"X-Accel-Redirect: other", "", "", "accel_locations"},
		{"X-Accel-Redirect: @fallback", "", "", "named locations"},
		{"X-Accel-Redirect: /files/%zz", "", "", "malformed"},
		{"X-Accel-Redirect: /files/../x", "", "", `".."`},
		{"X-Accel-Redirect: /files/%2e%2e/x", "", "", `".."`},
		{"X-Accel-Redirect: /files/%00", "", "", "NUL"},
		{"X-Accel-Redirect: /files/%252e%252e/x", "/srv/app/storage", "%2e%2e/x", ""},
	} {
		var head http1.Response
		head.Reset()
		if done, err := head.Parse([]byte("HTTP/1.1 200 OK\r\n" + c.line + "\r\n\r\n")); !done || err != nil {
			t.Fatal(done, err)
		}
		f, found, err := s.Find(&head)
		if why := ""; err != nil {
			if why = err.Error(); c.why == "" || !strings.Contains(why, c.why) {
				t.Errorf("%s: got %q, want %q", c.line, why, c.why)
			}
		} else if !found || f.Dir.Path != c.dir || f.Name != c.name || c.why != "" {
			t.Errorf("%s: got %v, %+v, want %q, %q", c.line, found, f, c.dir, c.name)
		}
	}
	for _, status := range []string{"204", "304"} {
		var head http1.Response
		head.Reset()
		if _, err := head.Parse([]byte("HTTP/1.1 " + status + " x\r\nX-Sendfile: /data/a\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if _, found, _ := s.Find(&head); found {
			t.Errorf("%s: found a file for an answer without body", status)
		}
	}
}
