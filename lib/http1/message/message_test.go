package message

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/http1"
)

// readers give the same bytes at once, one by one, and with the error beside them.
var readers = map[string]func(string) io.Reader{
	"at once":       func(s string) io.Reader { return strings.NewReader(s) },
	"byte by byte":  func(s string) io.Reader { return iotest.OneByteReader(strings.NewReader(s)) },
	"with its end":  func(s string) io.Reader { return iotest.DataErrReader(strings.NewReader(s)) },
	"half of it":    func(s string) io.Reader { return iotest.HalfReader(strings.NewReader(s)) },
	"nothing first": func(s string) io.Reader { return io.MultiReader(&nothing{}, strings.NewReader(s)) },
}

// nothing reads nothing some times, which readers may do.
type nothing struct{ times int }

func (n *nothing) Read([]byte) (int, error) {
	if n.times++; n.times > 3 {
		return 0, io.EOF
	}
	return 0, nil
}

func TestRequestsFollowOneAnother(t *testing.T) {
	t.Parallel()
	const sent = "PUT /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none" +
		"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n2;x=y\r\n!!\r\n0\r\n\r\n" +
		"GET /d HTTP/1.0\r\n\r\n"
	for name, from := range readers {
		r := NewReader(from(sent))
		var got []string
		var h http1.Request
		var err error
		for {
			if err = r.Request(&h); err != nil {
				break
			}
			body, err := io.ReadAll(r.RequestBody(&h))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = append(got, string(h.Method)+" "+string(h.Target)+" "+string(body))
		}
		if diff := cmp.Diff([]string{"PUT /a?b one", "POST /c two!!", "GET /d "}, got); diff != "" || err != io.EOF {
			t.Errorf("%s: then %v (-want +got)\n%s", name, err, diff)
		}
	}
}

func TestResponsesEndAsTheyShould(t *testing.T) {
	t.Parallel()
	malformed := &http1.Error{}
	for _, tt := range []struct {
		name, method, sent, want string
		err                      any // what errors.As finds, or the error
	}{
		{"a length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", nil},
		{"half of it", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhi", "hi", io.ErrUnexpectedEOF},
		{"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n", "hi", nil},
		{"chunks without an end", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", "hi", io.ErrUnexpectedEOF},
		{"no chunk", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz", "", &malformed},
		{"the connection's end", "GET", "HTTP/1.0 200 OK\r\n\r\nhi", "hi", nil},
		{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "", nil},
	} {
		for name, from := range readers {
			r := NewReader(from(tt.sent))
			var h http1.Response
			if err := r.Response(&h); err != nil {
				t.Fatalf("%s, %s: %v", tt.name, name, err)
			}
			b := r.ResponseBody(&h, tt.method)
			got, err := io.ReadAll(b)
			var ok bool
			switch want := tt.err.(type) {
			case nil:
				ok = err == nil && b.Ended()
			case error:
				ok = err == want
			default:
				ok = errors.As(err, want)
			}
			if string(got) != tt.want || !ok {
				t.Errorf("%s, %s: got %q, %v, want %q, %v", tt.name, name, got, err, tt.want, tt.err)
			}
		}
	}
}

func TestHeadsAreBounded(t *testing.T) {
	t.Parallel()
	endless := io.MultiReader(strings.NewReader("GET / HTTP/1.1\r\nHost: x\r\n"), &repeated{"A: b\r\n", 0})
	var h http1.Request
	var malformed *http1.Error
	if err := NewReader(endless).Request(&h); !errors.As(err, &malformed) || malformed.Status != 431 {
		t.Errorf("got %v, want status 431", err)
	}
}

type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at%len(r.text)]
		r.at++
	}
	return len(p), nil
}

// FuzzResponse reads whatever a process answers. Its bytes are never more than were
// sent, and it ends.
func FuzzResponse(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
	f.Add("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
	f.Fuzz(func(t *testing.T, sent string) {
		var first []string
		for _, from := range []io.Reader{strings.NewReader(sent), iotest.OneByteReader(strings.NewReader(sent))} {
			r := NewReader(from)
			var got []string
			for {
				var h http1.Response
				err := r.Response(&h)
				if err != nil {
					break
				}
				body, err := io.ReadAll(r.ResponseBody(&h, "GET"))
				if got = append(got, string(body)); len(body) > len(sent) || err != nil {
					break
				}
			}
			if first == nil {
				first = got
			} else if diff := cmp.Diff(first, got); diff != "" {
				t.Errorf("at once and byte by byte differ\n%s", diff)
			}
		}
	})
}
