package hosts

import (
	"strings"
	"testing"
)

func TestHostAndPathFindAValue(t *testing.T) {
	t.Parallel()
	var m Map[string]
	for _, c := range []struct{ value, base, names string }{
		{"any", "", ""}, {"any-sub", "/sub", ""}, {"any-deep", "/sub/deep", ""},
		{"exact", "", "a.example.com b.example.com"}, {"wild", "", "*.example.com"}, {"wilder", "", "*.x.example.com"},
		{"shop", "/shop", "shop.test"}, {"v6", "", "[::1]"}, {"second", "/shop", "shop.test"},
	} {
		m.Add(strings.Fields(c.names), c.base, &c.value)
	}
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
		if v := m.Find([]byte(host), []byte(path)); v != nil {
			got = *v
		}
		if got != want {
			t.Errorf("%.40q: got %s, want %s", in, got, want)
		}
	}
}

func TestNoHostNoValue(t *testing.T) {
	t.Parallel()
	var m Map[string]
	m.Add([]string{"a.test"}, "/a", new(string))
	for _, in := range []string{"b.test /a", "a.test /", "a.test /ab", " /a"} {
		host, path, _ := strings.Cut(in, " ")
		if m.Find([]byte(host), []byte(path)) != nil {
			t.Errorf("%q: got one", in)
		}
	}
}

func TestFindingAllocatesNothing(t *testing.T) {
	var m Map[string]
	m.Add([]string{"*.test"}, "/a", new(string))
	host, path := []byte("Sub.Domain.test:80"), []byte("/a/b/c")
	if n := testing.AllocsPerRun(100, func() {
		if m.Find(host, path) == nil {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}
