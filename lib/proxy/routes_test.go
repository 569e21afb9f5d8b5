package proxy

import (
	"strings"
	"testing"

	"passenger/lib/protocol"
)

func TestRoutesAreFoundByHostAndPath(t *testing.T) {
	t.Parallel()
	table := &protocol.Routes{Version: 1, Apps: []protocol.Route{
		{App: "any", BaseURI: "/"},
		{App: "any-sub", BaseURI: "/sub"},
		{App: "any-deep", BaseURI: "/sub/deep"},
		{App: "exact", BaseURI: "/", ServerNames: []string{"a.example.com", "b.example.com"}},
		{App: "wild", BaseURI: "/", ServerNames: []string{"*.example.com"}},
		{App: "wilder", BaseURI: "/", ServerNames: []string{"*.x.example.com"}},
		{App: "shop", BaseURI: "/shop", ServerNames: []string{"shop.test"}},
		{App: "v6", BaseURI: "/", ServerNames: []string{"[::1]"}},
	}}
	x := newIndex(table, func(name string) *app { return &app{name: name} })
	for in, want := range map[string]string{
		"other.test /":             "any",
		" /":                       "any",
		"other.test /sub":          "any-sub",
		"other.test /sub/":         "any-sub",
		"other.test /sub/x":        "any-sub",
		"other.test /subx":         "any",
		"other.test /su":           "any",
		"other.test /sub/deep":     "any-deep",
		"other.test /sub/deep/x/y": "any-deep",
		"other.test /sub/deeper":   "any-sub",
		"other.test /Sub":          "any",
		"other.test //sub":         "any",
		"other.test *":             "any",
		"a.example.com /":          "exact",
		"A.Example.COM:8080 /":     "exact",
		"b.example.com. /":         "exact",
		"c.example.com /":          "wild",
		"c.d.example.com /":        "wild",
		"c.x.example.com /":        "wilder",
		"x.example.com /":          "wild",
		"example.com /":            "any",
		".example.com /":           "any",
		"evilexample.com /":        "any",
		"xn--example-.com /":       "any",
		"a.example.com.evil /":     "any",
		"shop.test /shop/cart":     "shop",
		"shop.test /other":         "any",
		"shop.test /sub":           "any-sub",
		"[::1]:3000 /":             "v6",
		"[::1] /":                  "v6",
		"[::2] /":                  "any",
		"other.test /sub" + strings.Repeat("/", 10000): "any-sub",
	} {
		host, path, _ := strings.Cut(in, " ")
		got := "none"
		if m := x.find([]byte(host), []byte(path)); m != nil {
			got = m.app.name
		}
		if got != want {
			t.Errorf("%.40q: got %s, want %s", in, got, want)
		}
	}
}

func TestNoRouteNoApp(t *testing.T) {
	t.Parallel()
	find := func(name string) *app { return &app{name: name} }
	x := newIndex(&protocol.Routes{Version: 1, Apps: []protocol.Route{{App: "a", BaseURI: "/a", ServerNames: []string{"a.test"}}}}, find)
	for _, in := range []string{"b.test /a", "a.test /", "a.test /ab", " /a"} {
		host, path, _ := strings.Cut(in, " ")
		if m := x.find([]byte(host), []byte(path)); m != nil {
			t.Errorf("%q: got %s", in, m.app.name)
		}
	}
}

func TestFindingARouteAllocatesNothing(t *testing.T) {
	x := newIndex(&protocol.Routes{Apps: []protocol.Route{{App: "a", BaseURI: "/a", ServerNames: []string{"*.test"}}}},
		func(name string) *app { return &app{name: name} })
	host, path := []byte("Sub.Domain.test:80"), []byte("/a/b/c")
	if n := testing.AllocsPerRun(100, func() {
		if x.find(host, path) == nil {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}
