package adapter

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

// A rackApp is one of testscripts/apps that this adapter serves.
type rackApp struct {
	name      string
	multipart bool // takes a form's file
	token     bool // its form has a token
}

func TestRackServesRealApps(t *testing.T) {
	t.Parallel()
	for _, app := range []rackApp{{name: "rack"}, {name: "sinatra", multipart: true}, {name: "rails", multipart: true, token: true}} {
		t.Run(app.name, func(t *testing.T) {
			t.Parallel()
			need(t, "ruby")
			p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: testApp(t, app.name)})
			app.check(t, p)
		})
	}
}

func (app rackApp) check(t *testing.T, p *process) {
	s := p.dial(t)
	page := s.do(t, request{uri: "/"})
	if page.StatusCode != 200 || !strings.Contains(page.body, "Hello from "+app.name) {
		t.Errorf("/: got %d %q", page.StatusCode, page.body)
	}
	if page.ContentLength < 0 {
		t.Errorf("/: comes in chunks, want one piece of known length")
	}
	if resp := s.do(t, request{method: "HEAD", uri: "/"}); resp.StatusCode != 200 || resp.body != "" {
		t.Errorf("HEAD /: got %d %q", resp.StatusCode, resp.body)
	}
	app.checkForm(t, s)
	app.checkUploads(t, s)
	for _, test := range []struct {
		uri    string
		status int
		body   string
	}{
		{"/cookie", 200, "seen=none"},
		{"/query?q=gr%C3%BC%C3%9Fe+%26%20more", 200, "q=grüße & more"},
		{"/pid", 200, fmt.Sprint(p.cmd.Process.Pid)},
		{"/sleep?seconds=0.01", 200, "slept 0.01"},
	} {
		if resp := s.do(t, request{uri: test.uri}); resp.StatusCode != test.status || resp.body != test.body {
			t.Errorf("%s: got %d %q, want %d %q", test.uri, resp.StatusCode, resp.body, test.status, test.body)
		}
	}
	if resp := s.do(t, request{uri: "/cookie", env: map[string]string{"HTTP_COOKIE": "seen=yes"}}); resp.body != "seen=yes" {
		t.Errorf("/cookie with a cookie: got %q", resp.body)
	} else if got := resp.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "seen=yes; path=/") {
		t.Errorf("/cookie: got cookie %q", got)
	}
	if resp := s.do(t, request{uri: "/redirect"}); resp.StatusCode != 302 || !strings.HasSuffix(resp.Header.Get("Location"), "/") {
		t.Errorf("/redirect: got %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp := s.do(t, request{uri: "/none"}); resp.StatusCode != 404 {
		t.Errorf("/none: got %d, want 404", resp.StatusCode)
	}
	app.checkStream(t, s)
	if resp := s.do(t, request{uri: "/error"}); resp.StatusCode != 500 || strings.Contains(resp.body, "deliberate") {
		t.Errorf("/error: got %d %q, want 500 without details", resp.StatusCode, resp.body)
	}
	p.awaitOutput(t, "deliberate failure")
}

func (app rackApp) checkForm(t *testing.T, s *session) {
	form := url.Values{"name": {"Zoë"}}
	env := map[string]string{"CONTENT_TYPE": "application/x-www-form-urlencoded"}
	if app.token {
		if resp := s.do(t, request{method: "POST", uri: "/form", env: env, body: form.Encode()}); resp.StatusCode != 422 {
			t.Errorf("form without its token: got %d, want 422", resp.StatusCode)
		}
		page := s.do(t, request{uri: "/form"})
		token := regexp.MustCompile(`name="authenticity_token" value="([^"]+)"`).FindStringSubmatch(page.body)
		if token == nil || len(page.Cookies()) == 0 {
			t.Fatalf("no token or no cookie with the form:\n%v\n%s", page.Header, page.body)
		}
		form.Set("authenticity_token", token[1])
		cookie := page.Cookies()[0]
		env["HTTP_COOKIE"] = cookie.Name + "=" + cookie.Value
	}
	resp := s.do(t, request{method: "POST", uri: "/form", env: env, body: form.Encode()})
	if resp.StatusCode != 200 || resp.body != "name=Zoë" {
		t.Errorf("/form: got %d %q, want name=Zoë", resp.StatusCode, resp.body)
	}
}

func (app rackApp) checkUploads(t *testing.T, s *session) {
	file := pattern(5 << 20)
	env := map[string]string{"CONTENT_TYPE": "application/octet-stream"}
	for _, r := range []request{
		{method: "POST", uri: "/upload", env: env, body: file},
		{method: "POST", uri: "/upload", env: env, chunks: chop(file, 30000)},
	} {
		if resp := s.do(t, r); resp.body != digest(file) {
			t.Errorf("/upload: got %d %q, want %s", resp.StatusCode, resp.body, digest(file))
		}
	}
	if !app.multipart {
		return
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, _ := w.CreateFormFile("file", "f.bin") // a bytes.Buffer takes all
	part.Write([]byte(file))
	w.Close()
	resp := s.do(t, request{method: "POST", uri: "/upload-form", body: body.String(),
		env: map[string]string{"CONTENT_TYPE": w.FormDataContentType()}})
	if resp.body != digest(file) {
		t.Errorf("/upload-form: got %d %q, want %s", resp.StatusCode, resp.body, digest(file))
	}
}

func (app rackApp) checkStream(t *testing.T, s *session) {
	var want strings.Builder
	for i := range 320 {
		want.WriteString(strings.Repeat(string([]byte{byte(i)}), 65536))
	}
	resp := s.do(t, request{uri: "/stream"})
	if resp.StatusCode != http.StatusOK || resp.body != want.String() {
		t.Errorf("/stream: got %d and %d bytes, want the 20 MiB", resp.StatusCode, len(resp.body))
	}
	if resp.ContentLength != -1 {
		t.Errorf("/stream: got length %d, want chunks", resp.ContentLength)
	}
}
