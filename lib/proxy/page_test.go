package proxy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passenger/lib/http1"
	"passenger/lib/protocol"
	"passenger/lib/proxy/page"
)

func TestPagesComeInTheFormAskedFor(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{}, route())
	s.set()
	p := s.dial()
	for accept, kind := range map[string]string{
		"": "text/html; charset=utf-8", "*/*": "text/html; charset=utf-8", "text/html,application/json;q=0.9": "text/html; charset=utf-8",
		"application/json": "application/json", "application/json, text/plain, */*": "application/json", "text/plain": "text/plain; charset=utf-8",
	} {
		r := p.send("GET / HTTP/1.1\r\nHost: a\r\nAccept: " + accept + "\r\n\r\n").receive("GET")
		if r.Status != 404 || r.Header.Get("Content-Type") != kind || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Date") == "" {
			t.Errorf("%s: got %+v", accept, r)
		}
		if !strings.Contains(r.Body, "No application is configured") {
			t.Errorf("%s: got %q", accept, r.Body)
		}
		if kind == "application/json" {
			var v struct {
				Status int
				ID     string `json:"request_id"`
			}
			if err := json.Unmarshal([]byte(r.Body), &v); err != nil || v.Status != 404 || len(v.ID) != 32 {
				t.Errorf("got %q, %v", r.Body, err)
			}
		}
	}
	if r := p.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").receive("HEAD"); r.Status != 404 || r.Header.Get("Content-Length") == "0" || r.Body != "" {
		t.Errorf("got %+v", r)
	}
	if r := p.get("/"); r.Status != 404 {
		t.Errorf("got %+v behind a HEAD", r)
	}
}

func TestWhichFormPagesHave(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]page.Form{
		"": page.HTML, "Accept: */*\r\n": page.HTML, "Accept: image/webp, */*;q=0.8\r\n": page.HTML, "Accept: text/*\r\n": page.HTML, "Accept: TEXT/HTML\r\n": page.HTML,
		"Accept: text/html, application/xhtml+xml, application/xml;q=0.9, image/webp, */*;q=0.8\r\n": page.HTML,
		"Accept: application/json\r\n": page.JSON, "Accept: application/json, text/plain, */*\r\n": page.JSON, "Accept: text/plain, application/json\r\n": page.JSON,
		"Accept: application/vnd.api+json\r\n": page.JSON, "Accept: application/problem+json;q=0.5\r\n": page.JSON, "Accept: application/*\r\n": page.JSON,
		"Accept: text/html;q=0.1, application/json\r\n": page.JSON, "Accept: application/json;q=0.1, text/html\r\n": page.HTML,
		"Accept: application/json;charset=utf-8; q=0.9, text/html; q=0.95\r\n": page.HTML, "Accept: application/json;q=0.9, text/html;q=0.900\r\n": page.HTML,
		"Accept: application/json;q=0\r\n": page.HTML, "Accept: application/json;q=0.0001, text/html;q=0.001\r\n": page.HTML, "Accept: application/json;q=x\r\n": page.HTML,
		"Accept: text/plain\r\n": page.Text, "Accept: text/plain;q=0.2, application/json;q=0.1\r\n": page.Text, "Accept: ,,;\r\n": page.HTML,
		// Who brings JSON and says nothing knows JSON.
		"Content-Type: application/json; charset=utf-8\r\n": page.JSON, "Content-Type: application/json\r\nAccept: */*\r\n": page.JSON,
		"Content-Type: application/json\r\nAccept: text/html\r\n": page.HTML, "Content-Type: text/plain\r\n": page.HTML,
	} {
		var q http1.Request
		q.Reset()
		if done, err := q.Parse([]byte("POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n")); !done || err != nil {
			t.Fatal(err)
		}
		if got := page.Wanted(&q); got != want {
			t.Errorf("%q: got %v, want %v", fields, got, want)
		}
	}
}

// Whatever a client sends, none of it is in a page but escaped, and what is
// temporary says when to come again.
func TestPagesRepeatNothing(t *testing.T) {
	t.Parallel()
	failed := route()
	failed.Error = &protocol.SpawnError{Summary: "<script>no</script>", Output: []string{"<script>"}}
	dev := failed
	dev.FriendlyErrors, dev.ServerNames = true, []string{"dev.test"}
	dev.App = "dev"
	s := serve(t, Config{}, failed, dev)
	for _, host := range []string{"a.test", "dev.test"} {
		for _, accept := range []string{"text/html", "text/plain", "application/json"} {
			r := s.dial().send("GET /<script>?<script> HTTP/1.1\r\nHost: " + host + "\r\nAccept: " + accept + "\r\nUser-Agent: <script>\r\nX-Request-Id: <script>\r\n\r\n").receive("GET")
			if r.Status == 400 {
				r = s.dial().send("GET /%3Cscript%3E?%22%3E%3Cscript%3E HTTP/1.1\r\nHost: " + host + "\r\nAccept: " + accept + "\r\nUser-Agent: <script>\r\n\r\n").receive("GET")
			}
			if r.Status != 503 || r.Header.Get("Retry-After") == "" || accept != "text/plain" && strings.Contains(r.Body, "<script>") {
				t.Errorf("%s as %s: got %+v", host, accept, r)
			}
			if host == "a.test" && strings.Contains(r.Body, "no<") {
				t.Errorf("details as %s: got %q", accept, r.Body)
			}
		}
	}
}

// A page shows the ID that the app's log would have, and escapes it.
func TestPagesNameTheRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{}, route())
	s.set()
	p := dialPeer(t, "unix", s.unix).send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: shop-17\r\n\r\n")
	if r := p.receive("GET"); !strings.Contains(r.Body, "Request ID: shop-17") {
		t.Errorf("got %q", r.Body)
	}
	p.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: <b>\r\n\r\n")
	if r := p.receive("GET"); strings.Contains(r.Body, "<b>") {
		t.Errorf("got %q", r.Body)
	}
}

func TestNoTableYet(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	s.index.Store(&index{})
	if r := s.dial().get("/"); r.Status != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("got %+v", r)
	}
	if s.healthy() == nil {
		t.Error("it says that it is fit to serve")
	}
}

func TestAppsMayHaveTheirOwnPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"error", "pause"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("<p>"+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	failed, paused := route(), route()
	failed.Error, failed.ErrorPage = &protocol.SpawnError{Summary: "no"}, filepath.Join(dir, "error")
	paused.Paused, paused.MaintenancePage = protocol.PausedPage, filepath.Join(dir, "pause")
	missing, friendly := failed, failed
	missing.ErrorPage = filepath.Join(dir, "none")
	long := failed
	long.ErrorPage = filepath.Join(dir, "long")
	if err := os.WriteFile(long.ErrorPage, make([]byte, page.MaxOwnPage+1), 0o644); err != nil {
		t.Fatal(err)
	}
	friendly.FriendlyErrors = true
	for _, c := range []struct {
		route protocol.Route
		want  string
		own   bool
	}{
		{failed, "<p>error", true}, {paused, "<p>pause", true},
		{missing, "could not be started", false}, {long, "could not be started", false}, {friendly, "did not start", false},
	} {
		s := serve(t, Config{}, c.route)
		r := s.dial().get("/")
		if r.Status != 503 || !strings.Contains(r.Body, c.want) || (r.Body == c.want) != c.own {
			t.Errorf("got %d, %q, want %q", r.Status, r.Body, c.want)
		}
		if r := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n").receive("GET"); !strings.Contains(r.Body, `"status":503`) {
			t.Errorf("JSON: got %q", r.Body)
		}
	}
}
