package fronted

import (
	"strings"
	"testing"

	"passenger/lib/http1"
)

func TestPasswordsOfSecureHeaders(t *testing.T) {
	t.Parallel()
	const name = "!~PASSENGER_APP_GROUP_NAME: a"
	for _, test := range []struct {
		what   string
		fields []string
		ok     bool
	}{
		{"a block", []string{"!~: sesame", name, "!~:", "X: y"}, true},
		{"a block at the end", []string{"X: y", "!~: sesame", name}, true},
		{"no secure headers", []string{"X: y"}, true},
		{"no password", []string{name}, false},
		{"an empty password", []string{"!~:", name}, false},
		{"a wrong password", []string{"!~: same", name}, false},
		{"a secure header behind the block", []string{"!~: sesame", "!~:", name}, false},
		{"one before it", []string{name, "!~: sesame", "!~:"}, false},
		{"another field inside", []string{"!~: sesame", "X: y", name}, false},
		{"two blocks", []string{"!~: sesame", "!~:", "!~: sesame", name}, false},
	} {
		var r http1.Request
		r.Reset()
		if done, err := r.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\n" + strings.Join(append(test.fields, "\r\n"), "\r\n"))); !done || err != nil {
			t.Fatal(err)
		}
		var h Headers
		if err := h.Read(&r, "sesame"); (err == nil) != test.ok {
			t.Errorf("%s: got %v", test.what, err)
		}
		h = Headers{}
		if err := h.Read(&r, ""); err != nil {
			t.Errorf("%s, where none is needed: got %v", test.what, err)
		}
	}
}

func TestNamesOfGroupsBecomeNamesOfApps(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, group := range []string{"/srv/shop", "/srv/Shop", "/opt/shop", "shop", "/", "", "/srv/.hidden", "/srv/shop (staging)", "/srv/ü ö", "/" + strings.Repeat("x", 200)} {
		name := AppNameOf(group)
		if name != AppNameOf(group) || len(name) > maxAppName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" || strings.ContainsAny(name[:1], "._-") {
			t.Errorf("%q: got %q", group, name)
		}
		if other, taken := seen[name]; taken {
			t.Errorf("%q and %q are both %q", group, other, name)
		}
		seen[name] = group
	}
	if got := AppNameOf("shop"); got != "shop" {
		t.Errorf("got %q for a group whose name can be an app's", got)
	}
}

// Whatever comes, what is accepted is one value a name, and with a password
// nothing counts without it.
func FuzzSecureHeaders(f *testing.F) {
	for _, fields := range []string{
		"!~: sesame\r\n!~PASSENGER_APP_ROOT: /srv\r\n!~:\r\nX: y", "!~PASSENGER_APP_ROOT: /srv\r\n!~passenger_app_root: /etc", "!~FLAGS: DBSC\r\n!~REMOTE_ADDR: ::1",
		"!~: a\r\n!~: sesame\r\n!~: sesame", "!~REMOTE_ADDR: unix:\r\n!~REMOTE_PORT: 1", "!~PASSENGER-APP-ROOT: x", "!~~: x", "!: x\r\n~: y",
	} {
		f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n\r\n"))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		var r http1.Request
		r.Reset()
		if done, err := r.Parse(head); !done || err != nil {
			return
		}
		for _, password := range []string{"", "sesame"} {
			var h Headers
			if h.Read(&r, password) != nil {
				continue
			}
			said := 0
			for name, n := range secureNames {
				if v := h.Value(&r, n); v != nil {
					said++
					if !strings.EqualFold(string(r.Name(int(h.at[n])-1)), "!~"+name) {
						t.Fatalf("%s is %q", name, r.Line(int(h.at[n])-1))
					}
				}
			}
			if password != "" && said > 0 && !strings.Contains(string(head), password) {
				t.Fatalf("%q counts without the password", head)
			}
		}
	})
}
