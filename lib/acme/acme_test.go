package acme

import (
	"strings"
	"testing"
)

func TestDomains(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"example.com": "example.com", "WWW.Example.COM.": "www.example.com", "xn--bcher-kva.example": "xn--bcher-kva.example", "a-b.c": "a-b.c",
	} {
		if got, err := Domain(text); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "localhost", "*.example.com", "a.*.example.com", "127.0.0.1", "::1", "a..b", ".example.com", "-a.example.com", "a-.example.com", "bücher.example",
		"../x.y", "a/b.c", "a.b:443", "a b.c", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "com",
	} {
		if got, err := Domain(text); err == nil {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]bool{
		"evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA": true, "": false, ".": false, "..": false, "a/b": false, "a.pem": false, "a\x00": false, "é": false,
		strings.Repeat("a", maxToken): true, strings.Repeat("a", maxToken+1): false,
	} {
		if got := validToken(token); got != want {
			t.Errorf("%q: got %v", token, got)
		}
	}
}

func TestDirectoriesAreReachedOverHTTPS(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{LetsEncrypt: true, "https://ca.test:14000/dir": true, "http://ca.test/dir": false, "ca.test": false, "https://": false, ":": false} {
		if err := CheckDirectory(text); (err == nil) != want {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
