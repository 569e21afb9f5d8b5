package http1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBlockIsANetstringOfPairs(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 80, 90, 970, 9980, 60000} {
		value := strings.Repeat("v", size)
		b := FinishBlock(AppendPair(AppendPair(BeginBlock(nil), "CONTENT_LENGTH", "0"), "X", []byte(value)))
		pairs := readBlock(t, string(b))
		if diff := cmp.Diff([]string{"CONTENT_LENGTH=0", "X=" + value}, pairs); diff != "" {
			t.Errorf("size %d: %s", size, diff)
		}
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	r, _, err := parseRequest(t, "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=b\r\nX_A: 3\r\nX.A: 4\r\ncookie: c=d\r\n"+
		"Proxy: x\r\nX-Hop: y\r\nConnection: x-hop\r\nX-B:\r\nX-A: 5\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"A=1", "HTTP_X_A=1, 2, 5", "HTTP_COOKIE=a=b; c=d", "HTTP_X_B=", "B="}
	for _, k := range []Block{PairsBlock(nil), ApartBlock(nil, nil, "")} {
		k.Pair("A", "1")
		r.AddVariables(&k, &Names{Host: true, Proxy: true, Connection: true})
		k.Pair("B", "")
		if diff := cmp.Diff(want, readBlock(t, string(k.Finish()))); diff != "" {
			t.Error(diff)
		}
	}
}

func TestBlockWithNamesApart(t *testing.T) {
	t.Parallel()
	k := ApartBlock(nil, nil, "")
	k.Pair("CONTENT_LENGTH", "0")
	k.Pair("REQUEST_METHOD", "GET")
	k.Pair("QUERY_STRING", "")
	if got, want := string(k.Finish()), "50:CONTENT_LENGTH,REQUEST_METHOD,QUERY_STRING\x000\x00GET\x00\x00,"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func readBlock(t *testing.T, b string) []string {
	t.Helper()
	length, rest, ok := strings.Cut(b, ":")
	if !ok || number([]byte(length)) != int64(len(rest)-1) || !strings.HasSuffix(rest, ",") || strings.HasPrefix(length, "0") {
		t.Fatalf("got %.40q of %d bytes, not a netstring", b, len(b))
	}
	parts := strings.Split(strings.TrimSuffix(rest, ","), "\x00")
	if names := strings.Split(parts[0], ","); len(names) > 1 {
		if len(parts) != len(names)+2 {
			t.Fatalf("got %q: %d names", b, len(names))
		}
		var pairs []string
		for i, name := range names {
			pairs = append(pairs, name+"="+parts[i+1])
		}
		return pairs
	}
	var pairs []string
	for i := 0; i+1 < len(parts); i += 2 {
		pairs = append(pairs, parts[i]+"="+parts[i+1])
	}
	return pairs
}

// What becomes of a request's fields is a block that reads back as pairs whose
// names are CGI's, each once.
func FuzzSession(f *testing.F) {
	f.Add([]byte(typical))
	for _, c := range corpus(f) {
		if !c.response() {
			f.Add(c.Bytes)
		}
	}
	without := &Names{Host: true, Proxy: true, Connection: true}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		r.Reset()
		if done, err := r.Parse(b); !done || err != nil {
			return
		}
		seen := map[string]bool{}
		block := PairsBlock(nil)
		apart := ApartBlock(nil, nil, "")
		for _, k := range []*Block{&block, &apart} {
			k.Pair("CONTENT_LENGTH", "0") // always the first
			k.Pair("REQUEST_METHOD", "GET")
			r.AddVariables(k, without)
		}
		pairs := readBlock(t, string(block.Finish()))
		if diff := cmp.Diff(pairs, readBlock(t, string(apart.Finish()))); diff != "" {
			t.Fatal(diff)
		}
		for _, pair := range pairs[2:] {
			name, _, _ := strings.Cut(pair, "=")
			if seen[name] || !strings.HasPrefix(name, "HTTP_") || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || name == "HTTP_PROXY" {
				t.Fatalf("got %q", pair)
			}
			seen[name] = true
		}
	})
}
