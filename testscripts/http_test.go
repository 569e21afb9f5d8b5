package testscripts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A client speaks HTTP to the script's proxy over its unix socket.
func (w *world) httpClient() *http.Client {
	return &http.Client{
		Timeout:       waitBound,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableCompression: true,
			DisableKeepAlives:  true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", w.web())
			},
		},
	}
}

// A request is one that a script makes, with what it expects.
type request struct {
	method, path string
	header       http.Header
	host         string
	body         []byte

	status int // 200 if the script says nothing
	expect []func(*response) error
}

// A response is one that was read whole.
type response struct {
	*http.Response
	body []byte
}

func (w *world) do(r *request) (*response, error) {
	req, err := http.NewRequest(r.method, "http://localhost"+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.host != "" {
		req.Host = r.host
	}
	client := w.httpClient()
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: status %d, then after %d bytes: %w", r.method, r.path, resp.StatusCode, len(body), err)
	}
	return &response{resp, body}, nil
}

// check makes the request and says what is not as expected.
func (w *world) check(r *request) (*response, error) {
	resp, err := w.do(r)
	if err != nil {
		return nil, err
	}
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if resp.StatusCode != r.status {
		return nil, fmt.Errorf("%s %s: got status %d, want %d; body: %.2000s", r.method, r.path, resp.StatusCode, r.status, resp.body)
	}
	for _, expect := range r.expect {
		if err := expect(resp); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
		}
	}
	return resp, nil
}

func bodyMatches(pattern string) func(*response) error {
	return func(r *response) error {
		if ok, err := regexp.Match("(?s)"+pattern, r.body); err != nil || !ok {
			return fmt.Errorf("got body %.2000q, want it to match %q (%v)", r.body, pattern, err)
		}
		return nil
	}
}

func bodyIs(want string) func(*response) error {
	return func(r *response) error {
		if got := string(r.body); got != want {
			return fmt.Errorf("got body %.500q, want %.500q", got, want)
		}
		return nil
	}
}

func headerMatches(name, pattern string) func(*response) error {
	return func(r *response) error {
		got := strings.Join(r.Header.Values(name), "; ")
		if ok, err := regexp.MatchString(pattern, got); err != nil || !ok {
			return fmt.Errorf("got header %s: %q, want it to match %q (%v)", name, got, pattern, err)
		}
		return nil
	}
}

func hasSHA256(want string) func(*response) error {
	return func(r *response) error {
		if got := digest(r.body); got != want {
			return fmt.Errorf("got %d bytes with SHA-256 %s, want %s", len(r.body), got, want)
		}
		return nil
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// cmdHTTP makes a request of the script's proxy and checks the answer, which
// is left in the file "body" and, headers first, in "response":
//
//	http METHOD PATH [status=N] [body=REGEXP] [header=NAME:REGEXP] [length=N]
//	     [set=NAME:VALUE] [host=NAME] [data=TEXT] [save=VAR:REGEXP]
func cmdHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: http METHOD PATH [KEY=VALUE…]")
	}
	r := &request{method: args[0], path: args[1], header: http.Header{}}
	for _, arg := range args[2:] {
		key, value, _ := strings.Cut(arg, "=")
		ts.Check(r.option(ts, key, value))
	}
	resp, err := worldOf(ts).check(r)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("body"), resp.body, 0o600))
}

func (r *request) option(ts *testscript.TestScript, key, value string) error {
	name, rest, _ := strings.Cut(value, ":")
	switch key {
	case "status":
		n, err := strconv.Atoi(value)
		r.status = n
		return err
	case "body":
		r.expect = append(r.expect, bodyMatches(value))
	case "header":
		r.expect = append(r.expect, headerMatches(name, rest))
	case "length":
		r.expect = append(r.expect, func(resp *response) error {
			if got := strconv.Itoa(len(resp.body)); got != value {
				return fmt.Errorf("got %s bytes, want %s", got, value)
			}
			return nil
		})
	case "set":
		r.header.Set(name, rest)
	case "host":
		r.host = value
	case "data":
		r.body = []byte(value)
		r.header.Set("Content-Type", "application/x-www-form-urlencoded")
	case "save":
		r.expect = append(r.expect, func(resp *response) error { return save(ts, resp, name, rest) })
	default:
		return fmt.Errorf("http: unknown option %q", key)
	}
	return nil
}

// save puts the first submatch of the pattern in the body into a variable.
func save(ts *testscript.TestScript, resp *response, name, pattern string) error {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	m := re.FindSubmatch(resp.body)
	if len(m) < 2 {
		return fmt.Errorf("body %.500q has no submatch of %q", resp.body, pattern)
	}
	ts.Setenv(name, string(m[1]))
	return nil
}

// cmdRaw sends bytes to the script's proxy as they are, in which \r, \n, \0 and
// \xNN stand for themselves, and checks all that comes back until the proxy
// closes the connection: raw BYTES REGEXP
func cmdRaw(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: raw BYTES REGEXP")
	}
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.ReplaceAll(args[0], `"`, `\"`), `\0`, `\x00`) + `"`)
	ts.Check(err)
	c, err := net.DialTimeout("unix", worldOf(ts).web(), waitBound)
	ts.Check(err)
	defer c.Close()
	ts.Check(c.SetDeadline(time.Now().Add(waitBound)))
	_, err = io.WriteString(c, text)
	ts.Check(err)
	got, err := io.ReadAll(c)
	if err != nil {
		ts.Fatalf("raw: got %q, then %v", got, err)
	}
	if ok, err := regexp.Match("(?s)"+args[1], got); err != nil || ok == neg {
		ts.Fatalf("raw: got %q, want match of %q to be %v (%v)", got, args[1], !neg, err)
	}
}

// form is a urlencoded body.
func form(pairs ...string) []byte {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return []byte(v.Encode())
}
