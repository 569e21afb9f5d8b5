package compress

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http/httputil"
	"runtime"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func TestWhichCodingIsChosen(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]Coding{
		"": Plain, "gzip": Gzip, "GZIP": Gzip, "x-gzip": Gzip, "br": Brotli, "zstd": Zstd, "deflate": Plain, "identity": Plain,
		"gzip, deflate, br, zstd": Zstd, "gzip, deflate, br": Brotli, "gzip;q=1.0, br;q=0.5": Gzip, "gzip;q=0.5,br;q=0.501": Brotli,
		"gzip;q=0": Plain, "gzip;q=0.000, br;q=0": Plain, "*": Zstd, "*;q=0": Plain, "gzip, *;q=0": Gzip, "zstd;q=0, *": Brotli, "identity;q=0, *;q=0.1": Zstd,
		"identity, gzip;q=0.5": Plain, "identity;q=0.5, gzip": Gzip, "identity, gzip": Gzip, "identity;q=0": Plain,
		"gzip;q=2": Plain, "gzip;q=-1": Plain, "gzip;q=1.001": Plain, "gzip;q=0.0001": Plain, "gzip;q=": Plain, "gzip;q": Plain, "gzip;": Gzip, "gzip;q=a": Plain, "gzip;q=0.a": Plain,
		"gzip;q=1;level=9": Plain, "gzip; q=0.3": Gzip, "gzip ; Q=0.3": Gzip, ",,gzip,,": Gzip, "gzipx, xgzip, g zip": Plain, "gz\x00ip": Plain, ";q=1": Plain, "\xff": Plain,
	} {
		if got := Choose([]byte(accept)); got != want {
			t.Errorf("%q: got %s, want %s", accept, Names[got], Names[want])
		}
	}
}

func FuzzChoosing(f *testing.F) {
	f.Add([]byte("gzip;q=0.5, br, *;q=0"))
	f.Fuzz(func(t *testing.T, accept []byte) {
		if c := Choose(accept); c != Plain && !bytes.Contains(bytes.ToLower(accept), []byte(Names[c])) && !bytes.ContainsAny(accept, "*") {
			t.Errorf("%q: got %s", accept, Names[c])
		}
	})
}

// plain is what a body was before it was encoded.
func plain(t testing.TB, c Coding, body []byte) []byte {
	t.Helper()
	var r io.Reader
	var err error
	switch c {
	case Gzip:
		r, err = gzip.NewReader(bytes.NewReader(body))
	case Brotli:
		r = brotli.NewReader(bytes.NewReader(body))
	case Zstd:
		r, err = zstd.NewReader(bytes.NewReader(body))
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil && err != io.ErrUnexpectedEOF { // of what was flushed, and has no end yet
		t.Fatalf("%s: %v", Names[c], err)
	}
	return b
}

// Whatever the parts that a body comes in, decompressing gives it back; after each flush, all
// that came before.
func FuzzBodies(f *testing.F) {
	f.Add([]byte("hello, hello"), uint64(1))
	f.Add([]byte(strings.Repeat("<li>item</li>\n", 9000)), uint64(2))
	f.Add([]byte(nil), uint64(3))
	pool := &Pool{Most: 16 << 20}
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 1))
		for c := Gzip; c < codings; c++ {
			for _, chunked := range []bool{false, true} {
				e := pool.Take(c, chunked)
				if e == nil {
					t.Fatal("no encoder")
				}
				var sent []byte
				for rest := body; ; {
					n := random.IntN(len(rest) + 1)
					part, flush, last := rest[:n], random.IntN(3) == 0, len(rest) == n
					rest = rest[n:]
					p, err := e.Next(part, flush, last)
					if err != nil {
						t.Fatal(err)
					}
					if sent = append(sent, p...); flush && !chunked && len(body) > len(rest) && len(sent) > 0 {
						if got, want := plain(t, c, sent), body[:len(body)-len(rest)]; !bytes.Equal(got, want) {
							t.Fatalf("%s: after a flush got %d bytes, want %d", Names[c], len(got), len(want))
						}
					}
					if last {
						break
					}
				}
				e.Free()
				if chunked {
					var err error
					if sent, err = io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(sent))); err != nil {
						t.Fatal(err)
					}
				}
				if got := plain(t, c, sent); !bytes.Equal(got, body) {
					t.Fatalf("%s: got %d bytes, want %d", Names[c], len(got), len(body))
				}
			}
		}
	})
}

// The pool bounds what encoders take together; those that wait make room for others.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	p := &Pool{Most: 4 << 20}
	var all []*Encoder
	for range 4 {
		all = append(all, p.Take(Gzip, true))
	}
	if p.Take(Gzip, true) != nil || p.Take(Zstd, true) != nil || p.Take(Brotli, true) != nil {
		t.Error("got one more than there is room for")
	}
	for _, e := range all {
		if e == nil {
			t.Fatal("got fewer than there is room for")
		}
		e.Free()
	}
	if p.Used() != 2<<20 {
		t.Errorf("%d bytes wait, want those of two", p.Used())
	}
	for range 2 {
		if p.Take(Brotli, true) == nil {
			t.Error("idle ones made no room")
		}
	}
	if p.Take(Plain, true) != nil || new(Pool).Take(Gzip, true) != nil {
		t.Error("got one of nothing")
	}
}

// What an encoder counts for is what it takes.
func TestCostsAreTrue(t *testing.T) {
	body := []byte(strings.Repeat("0123456789abcdef", 8<<10))
	for c := Gzip; c < codings; c++ {
		p, before, after := &Pool{Most: 64 << 20}, runtime.MemStats{}, runtime.MemStats{}
		runtime.GC()
		runtime.ReadMemStats(&before)
		var all [10]*Encoder
		for i := range all {
			all[i] = p.Take(c, true)
			if _, err := all[i].Next(body, true, false); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := (int(after.HeapAlloc) - int(before.HeapAlloc)) / len(all)
		t.Logf("%s: %d KB", Names[c], each>>10)
		if each > costs[c]*5/4 {
			t.Errorf("%s: takes %d bytes, counts for %d", Names[c], each, costs[c])
		}
		runtime.KeepAlive(all)
	}
}

func BenchmarkEncoders(b *testing.B) {
	body := []byte(strings.Repeat(`{"id": 4711, "name": "Ada Lovelace", "tags": ["a", "b"]}, `, 300))
	for c := Gzip; c < codings; c++ {
		b.Run(Names[c], func(b *testing.B) {
			p := &Pool{Most: 16 << 20}
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				e := p.Take(c, true)
				if _, err := e.Next(body, false, true); err != nil {
					b.Fatal(err)
				}
				e.Free()
			}
		})
	}
}
