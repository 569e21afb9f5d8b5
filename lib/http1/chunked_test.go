package http1

import (
	"bytes"
	"strings"
	"testing"
)

func TestChunkedBodies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, data, kept, rest string }{
		{"0\r\n\r\n", "", "0\r\n", ""},
		{"5\r\nhello\r\n0\r\n\r\nnext", "hello", "5\r\nhello\r\n0\r\n", "next"},
		{"5;a;b=c;d=\"e\\\"\tf\"\r\nhello\r\n00\r\n\r\n", "hello", "5;a;b=c;d=\"e\\\"\tf\"\r\nhello\r\n00\r\n", ""},
		{"a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\nX: y\r\nZ:\r\n\r\nGET", "0123456789abcdefghij", "a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n", "GET"},
	} {
		for step := 1; step <= len(c.text); step++ {
			var scan, decode Chunked
			var kept, data []byte
			used := 0
			for at := 0; at < len(c.text) && !scan.Done(); at += step {
				p := []byte(c.text[at:min(at+step, len(c.text))])
				keep, total, err := scan.Scan(p)
				if err != nil {
					t.Fatalf("%q by %d: %v", c.text, step, err)
				}
				kept = append(kept, p[:keep]...)
				used += total
				n, total2, err := decode.Decode(p)
				if err != nil || total2 != total {
					t.Fatalf("%q by %d: decoded %d, %v; scanned %d", c.text, step, total2, err, total)
				}
				data = append(data, p[:n]...)
			}
			if !scan.Done() || !decode.Done() || string(data) != c.data || string(kept) != c.kept || c.text[used:] != c.rest {
				t.Errorf("%q by %d: got data %q kept %q rest %q", c.text, step, data, kept, c.text[used:])
			}
		}
	}
}

func TestMalformedChunksAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no size":           "\r\nhello",
		"prefix":            "0x5\r\nhello\r\n",
		"plus":              "+5\r\nhello\r\n",
		"minus":             "-5\r\nhello\r\n",
		"underscore":        "1_0\r\nhello\r\n",
		"blank before":      " 5\r\nhello\r\n",
		"blank after":       "5 \r\nhello\r\n",
		"tab":               "5\t\r\nhello\r\n",
		"vertical tab":      "5\x0b\r\nhello\r\n",
		"bare LF":           "5\nhello\r\n",
		"bare CR":           "5\rhello\r\n",
		"LF in extension":   "5;a\nhello\r\n",
		"CR in extension":   "5;a\rb\r\nhello\r\n",
		"NUL in extension":  "5;a\x00\r\nhello\r\n",
		"bare semicolon":    "5;\r\nhello\r\n",
		"blank extension":   "5; a\r\nhello\r\n",
		"no value":          "5;a=\r\nhello\r\n",
		"open quote":        "5;a=\"b\r\nhello\r\n",
		"long size":         "00000000000000005\r\nhello\r\n",
		"overflow":          "fffffffffffffffff\r\n",
		"spill":             "5\r\nhello!\r\n",
		"LF after data":     "5\r\nhello\n0\r\n\r\n",
		"CR after data":     "5\r\nhello\r0\r\n\r\n",
		"long extension":    "5;" + strings.Repeat("a", 600) + "\r\n",
		"many extensions":   strings.Repeat("1;"+strings.Repeat("a", 400)+"\r\nx\r\n", 30),
		"bad trailer":       "0\r\nX y: z\r\n\r\n",
		"folded trailer":    "0\r\nX: y\r\n z\r\n\r\n",
		"LF in trailer":     "0\r\nX: y\n\r\n",
		"CR in trailer":     "0\r\nX: y\rz\r\n\r\n",
		"length in trailer": "0\r\nContent-Length: 5\r\n\r\n",
		"long trailer":      "0\r\n" + strings.Repeat("X: y\r\n", 2000),
	} {
		var c Chunked
		if _, _, err := c.Scan([]byte(text)); err == nil {
			t.Errorf("%s: got done=%v, want an error", name, c.Done())
		}
	}
}

func TestScanningAllocatesNothing(t *testing.T) {
	var c Chunked
	body := []byte("5;a=b\r\nhello\r\n0\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() {
		c.Reset()
		if _, _, err := c.Scan(body); err != nil || !c.Done() {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

func FuzzChunked(f *testing.F) {
	f.Add([]byte("5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\nrest"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		var whole, pieces, decode Chunked
		_, total, err := whole.Scan(b)
		used := 0
		var err2 error
		for used < len(b) && !pieces.Done() && err2 == nil {
			var n int
			_, n, err2 = pieces.Scan(b[used:min(used+int(step)+1, len(b))])
			used += n
		}
		if (err == nil) != (err2 == nil) || err == nil && used != total {
			t.Fatalf("got %d, %v in pieces, want %d, %v", used, err2, total, err)
		}
		if n, total2, err3 := decode.Decode(bytes.Clone(b)); total2 != total || (err3 == nil) != (err == nil) || n > total2 {
			t.Fatalf("decoded %d, %v; scanned %d, %v", total2, err3, total, err)
		}
	})
}
