package proxy

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// What apps make links of, or go by instead of the target, is part of what an
// answer is kept by, or reaches no app, or keeps the answer from being kept. So
// nobody can put an answer of their making into the way of others.
func TestNobodyPoisonsTheCache(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		// It repeats all that it was told.
		f := start(t, proto, 0, func(c *call) bool {
			io.Copy(io.Discard, c.Body)
			var told []string
			for name, value := range c.Vars {
				told = append(told, name+"="+value)
			}
			for name, value := range c.Header {
				told = append(told, fmt.Sprint(name, "=", value))
			}
			slices.Sort(told)
			body := c.Method + "\n" + strings.Join(told, "\n")
			c.reply("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			return true
		})
		r := route(f)
		r.Turbocaching = true
		s := serve(t, Config{}, r)
		n := 0
		for _, p := range []*peer{s.dial(), dialPeer(t, "unix", s.unix)} {
			for _, field := range []string{
				"X-Forwarded-Host: evil", "X-Forwarded-Proto: evil", "X-Forwarded-Port: 16661", "X-Forwarded-Prefix: /evil", "X-Forwarded-Scheme: evil",
				"X-Forwarded-Ssl: evil", "X-Forwarded-Server: evil", "X-Forwarded-Path: /evil", "Forwarded: host=evil", "X_Forwarded_Host: evil",
				"X-Original-URL: /evil", "X-Rewrite-URL: /evil", "X-Host: evil", "X-Original-Host: evil", "X-HTTP-Method-Override: evil", "X-HTTP-Method: evil",
				"X-Method-Override: evil", "X-Script-Name: /evil", "X-Url-Scheme: evil", "X-Sendfile-Type: evil", "X-Accel-Mapping: evil",
			} {
				n++
				target := fmt.Sprintf("/account/%d/a.css;a=b", n)
				bad := p.ask("GET", target, field+"\r\n")
				if good := p.ask("GET", target, ""); strings.Contains(good.Body, "evil") || strings.Contains(good.Body, "16661") {
					t.Errorf("%s: got %q, after %q", field, good.Body, bad.Body)
				}
			}
			// A body that a GET brings, another method, another host, another scheme of path.
			n++
			target := fmt.Sprintf("/%d?a=b", n)
			p.send("GET " + target + " HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\nX-Mark: evil\r\n\r\na=evil").receive("GET")
			p.ask("HEAD", target, "X-Mark: evil\r\n")
			p.ask("OPTIONS", target, "X-Mark: evil\r\n")
			p.send("GET " + target + " HTTP/1.1\r\nHost: evil.test\r\nX-Mark: evil\r\n\r\n").receive("GET")
			p.send("GET " + target + " HTTP/1.1\r\nHost: a.test:81\r\nX-Mark: evil\r\n\r\n").receive("GET")
			p.ask("GET", strings.Replace(target, "a=b", "a=%62", 1), "X-Mark: evil\r\n")
			p.ask("GET", "/."+target, "X-Mark: evil\r\n")
			if good := p.ask("GET", target, ""); strings.Contains(good.Body, "evil") {
				t.Errorf("got %q", good.Body)
			}
		}
	})
}
