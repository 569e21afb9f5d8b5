package http1

import "testing"

func TestPartsOfAHeadAreJudged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		what string
		ok   func([]byte) bool
		good []string
		bad  []string
	}{
		{"name", ValidName, []string{"a", "X-Y_z", "!~x"}, []string{"", "a b", "a:", "a\x00", "é"}},
		{"value", ValidValue, []string{"", "a b", "a\tb", "é", "long enough for eight bytes at a time"}, []string{" a", "a ", "\ta", "a\r\nb", "a\nb", "a\x00b", "\x7f"}},
		{"target", ValidTarget, []string{"/", "*", "/a?b=%20", "http://a/", "/é"}, []string{"", "/a b", "/#a", "/\r\n", "/\x7f"}},
	} {
		for _, s := range test.good {
			if !test.ok([]byte(s)) {
				t.Errorf("%q is no %s", s, test.what)
			}
		}
		for _, s := range test.bad {
			if test.ok([]byte(s)) {
				t.Errorf("%q is a %s", s, test.what)
			}
		}
	}
}

func TestNextFindsTheDataOfChunks(t *testing.T) {
	t.Parallel()
	const body = "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-A: b\r\n\r\n"
	for size := 1; size <= len(body); size++ {
		var c Chunked
		got := ""
		for rest := []byte(body + "next"); !c.Done(); {
			data, total, err := c.Next(rest[:min(size, len(rest))])
			if err != nil {
				t.Fatal(err)
			}
			got += string(data)
			if rest = rest[total:]; c.Done() && string(rest) != "next" {
				t.Errorf("in pieces of %d: %q is left", size, rest)
			}
		}
		if got != "hello world" || string(c.Trailer()) != "X-A: b\r\n" {
			t.Errorf("in pieces of %d: got %q, trailer %q", size, got, c.Trailer())
		}
	}
	var c Chunked
	if _, _, err := c.Next([]byte("5\r\nhellox")); err != nil {
		t.Fatal(err) // the data comes first
	} else if _, _, err := c.Next([]byte("x")); err == nil {
		t.Error("a chunk without its end is no error")
	}
}
