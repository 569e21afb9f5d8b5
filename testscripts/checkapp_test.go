package testscripts

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

const (
	uploadSize = 5 << 20
	pieceSize  = 64 << 10
	pieces     = 320 // 20 MiB
)

// cmdCheckApp makes of the app that is served what each of those in apps/ can
// do: check-app NAME [csrf] [multipart]
//
// csrf says that its form wants the token of its page and the cookie that came
// with it; multipart, that it takes an upload form too.
func cmdCheckApp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: check-app NAME [csrf] [multipart]")
	}
	w := worldOf(ts)
	for _, r := range simpleChecks(args[0]) {
		_, err := w.check(r)
		ts.Check(err)
	}
	for _, extra := range args[1:] {
		switch extra {
		case "csrf":
			ts.Check(w.checkCSRF())
		case "multipart":
			ts.Check(w.checkMultipart())
		}
	}
	if len(args) == 1 || args[1] != "csrf" {
		_, err := w.check(&request{method: "POST", path: "/form", header: formHeader(), body: form("name", "Zoë & co"),
			expect: []func(*response) error{bodyIs("name=Zoë & co")}})
		ts.Check(err)
	}
	ts.Check(w.checkError(ts))
}

// formHeader is what a browser sends with a form: SvelteKit and Rails compare
// the origin with the host.
func formHeader() http.Header {
	return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {"http://localhost"}}
}

// upload is the same bytes each time, no two lines alike.
func upload() []byte {
	b := make([]byte, 0, uploadSize)
	for i := 0; len(b) < uploadSize; i++ {
		b = fmt.Appendf(b, "%d,", i)
	}
	return b[:uploadSize]
}

func streamed() []byte {
	b := make([]byte, 0, pieces*pieceSize)
	for i := range pieces {
		b = append(b, bytes.Repeat([]byte{byte(i)}, pieceSize)...)
	}
	return b
}

func simpleChecks(name string) []*request {
	type expect = []func(*response) error
	file := upload()
	return []*request{
		{method: "GET", path: "/", expect: expect{bodyMatches("Hello from " + name), headerMatches("Content-Type", "^text/html")}},
		{method: "HEAD", path: "/", expect: expect{bodyIs(""), headerMatches("Content-Type", "^text/html")}},
		{method: "POST", path: "/upload", header: http.Header{"Content-Type": {"application/octet-stream"}}, body: file,
			expect: expect{bodyMatches("^" + digest(file) + `\s*$`)}},
		{method: "GET", path: "/stream", expect: expect{hasSHA256(digest(streamed())), hasNoLength}},
		{method: "GET", path: "/redirect", status: http.StatusFound, expect: expect{headerMatches("Location", "(^|[a-z0-9])/$")}},
		{method: "GET", path: "/cookie", expect: expect{bodyIs("seen=none"), headerMatches("Set-Cookie", "(?i)seen=yes; *path=/")}},
		{method: "GET", path: "/cookie", header: http.Header{"Cookie": {"other=1; seen=yes"}}, expect: expect{bodyIs("seen=yes")}},
		{method: "GET", path: "/query?q=caf%C3%A9%20%E2%9C%93", expect: expect{bodyIs("q=café ✓")}},
		{method: "GET", path: "/missing", status: http.StatusNotFound},
		{method: "GET", path: "/sleep?seconds=0.01"},
	}
}

func hasNoLength(r *response) error {
	if r.ContentLength >= 0 {
		return fmt.Errorf("the stream has a Content-Length of %d", r.ContentLength)
	}
	return nil
}

var (
	tokenInput = regexp.MustCompile(`<input[^>]*name="(?:csrfmiddlewaretoken|authenticity_token)"[^>]*>`)
	valueOf    = regexp.MustCompile(`value="([^"]+)"`)
)

// checkCSRF fetches the form, and posts it with and without its token.
func (w *world) checkCSRF() error {
	page, err := w.check(&request{method: "GET", path: "/form"})
	if err != nil {
		return err
	}
	m := valueOf.FindSubmatch(tokenInput.Find(page.body))
	if m == nil {
		return fmt.Errorf("GET /form has no token: %.500q", page.body)
	}
	field := regexp.MustCompile(`csrfmiddlewaretoken|authenticity_token`).FindString(string(page.body))
	header := formHeader()
	var cookies []string
	for _, c := range page.Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	if len(cookies) == 0 {
		return errors.New("GET /form sets no cookie")
	}
	header.Set("Cookie", strings.Join(cookies, "; "))
	if _, err := w.check(&request{method: "POST", path: "/form", header: header, body: form("name", "Zoë", field, string(m[1])),
		expect: []func(*response) error{bodyMatches("name=Zoë")}}); err != nil {
		return err
	}
	forged, err := w.do(&request{method: "POST", path: "/form", header: formHeader(), body: form("name", "Zoë")})
	if err != nil {
		return err
	}
	if forged.StatusCode < 400 {
		return fmt.Errorf("POST /form without a token: got status %d, want an error", forged.StatusCode)
	}
	return nil
}

func (w *world) checkMultipart() error {
	var body bytes.Buffer
	file := upload()
	m := multipart.NewWriter(&body)
	part, err := m.CreateFormFile("file", "digits.txt")
	if err != nil {
		return err
	}
	if _, err := part.Write(file); err != nil {
		return err
	}
	if err := m.Close(); err != nil {
		return err
	}
	_, err = w.check(&request{method: "POST", path: "/upload-form", header: http.Header{"Content-Type": {m.FormDataContentType()}}, body: body.Bytes(),
		expect: []func(*response) error{bodyMatches("^" + digest(file) + `\s*$`)}})
	return err
}

// checkError wants a 500 and the backtrace in the spawner's output.
func (w *world) checkError(ts *testscript.TestScript) error {
	if _, err := w.check(&request{method: "GET", path: "/error", status: http.StatusInternalServerError}); err != nil {
		return err
	}
	return eventually("the backtrace", func() error {
		if log := ts.ReadFile("spawn.log"); !strings.Contains(log, "deliberate failure") {
			return fmt.Errorf("it is not in the output:\n%.2000s", log)
		}
		return nil
	})
}
