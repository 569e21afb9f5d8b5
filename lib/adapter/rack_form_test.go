package adapter

import (
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

func TestRackSaysWhichFormItKnows(t *testing.T) {
	t.Parallel()
	if p := startCases(t); !p.apart {
		t.Error("the process does not say that it takes names apart from values")
	}
}

// An app finds the same in its env in both forms, and when its names are new,
// and when there is compiled code for them.
func TestRackEnvIsTheSameInBothForms(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 100 {
		many[fmt.Sprintf("HTTP_X_%03d", i)] = fmt.Sprint(i)
	}
	s := startCases(t).dial(t)
	for _, test := range []struct {
		name string
		request
	}{
		{"plain", request{}},
		{"a body", request{method: "POST", body: "abc"}},
		{"chunks", request{method: "POST", chunks: []string{"ab", "c"}}},
		{"a value that is empty", request{env: map[string]string{"HTTP_X_EMPTY": "", "HTTP_Y": "y"}}},
		{"bytes of no character", request{env: map[string]string{"HTTP_X_BYTES": "\xff\xc3\xbc, ,\"#{1}"}}},
		{"a hundred fields", request{env: many}},
		{"https", request{env: map[string]string{"HTTPS": "on"}}},
		{"files", request{env: map[string]string{"HTTP_X_SENDFILE_TYPE": "X-Sendfile"}}},
		{"an upgrade", request{env: map[string]string{"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "a, b"}}},
		{"a name that is not compiled", request{env: map[string]string{"HTTP_X.Y": "1", "HTTP_\"#{exit}": "2"}}},
		{"names that begin alike", request{env: map[string]string{"HTTP_A": "1", "HTTP_A_": "2", "HTTP_A__B": "3"}}},
	} {
		r := test.request
		r.uri = "/env"
		s.apart = false
		want := s.do(t, r).body
		s.apart = true
		for i := range 12 { // compiled in between
			if diff := cmp.Diff(want, s.do(t, r).body); diff != "" {
				t.Errorf("%s, for the time %d:\n%s", test.name, i+1, diff)
			}
		}
	}
}

// A client that varies names throws out no more than compiled code.
func TestRackNamesThatVary(t *testing.T) {
	t.Parallel()
	s := startCases(t).dial(t)
	for i := range 1200 { // some lists often enough to be compiled, more of them than are kept
		name := fmt.Sprintf("HTTP_X_%d", i)
		if i >= 400 {
			name = fmt.Sprintf("HTTP_X_%d", 400+i%80)
		}
		if resp := s.do(t, request{uri: "/env", env: map[string]string{name: fmt.Sprint(i)}}); !strings.Contains(resp.body, fmt.Sprintf("\n%s=%d\n", name, i)) {
			t.Fatalf("env lacks %s:\n%s", name, resp.body)
		}
	}
}

func TestRackBadFormsCloseTheConnection(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	good := request{apart: true}.head()
	block := good[strings.Index(good, ":")+1 : len(good)-1]
	for _, bad := range []string{
		"SCRIPT_NAME," + block,                      // the length is not first
		block + "\x00",                              // a value too many
		strings.Replace(block, ",", ",A,", 1),       // a value too few
		strings.Replace(block, "\x000", "\x00x", 1), // no length
	} {
		for range 10 { // compiled in between
			s := p.dial(t)
			fmt.Fprintf(s, "%d:%s,", len(bad), bad)
			s.closed(t)
		}
	}
	s := p.dial(t)
	for range 10 {
		io.WriteString(s, good)
		if resp := s.receive(t, "GET"); resp.body != "hello" {
			t.Errorf("got %q afterwards, want hello", resp.body)
		}
	}
}

// A process that goes on with one busy connection still takes others, and
// still stops.
func TestRackBusyConnectionStarvesNoOther(t *testing.T) {
	t.Parallel()
	p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: caseDir(t, "rack")})
	busy, over := p.dial(t), make(chan int)
	done := make(chan struct{})
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-done:
				over <- n
				return
			default:
				busy.do(t, request{})
			}
		}
	}()
	for range 20 {
		if resp := p.dial(t).do(t, request{uri: "/env"}); resp.StatusCode != 200 {
			t.Errorf("got %d", resp.StatusCode)
		}
	}
	close(done)
	if n := <-over; n == 0 {
		t.Error("the busy connection was not")
	}
}

// The same where its next request is always there already.
func TestRackRequestsAheadStarveNoOther(t *testing.T) {
	t.Parallel()
	p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: caseDir(t, "rack")})
	busy, more := p.dial(t), make(chan struct{})
	go func() {
		some := strings.Repeat(request{follows: true}.bytes(), 100)
		for {
			if _, err := io.WriteString(busy, some); err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(more)
		for {
			if _, err := io.CopyN(io.Discard, busy.r, 10_000); err != nil {
				return
			}
			select {
			case more <- struct{}{}:
			default:
			}
		}
	}()
	for range 20 {
		if _, open := <-more; !open { // alone it is, for now
			t.Fatal("the busy connection has ended")
		}
		if resp := p.dial(t).do(t, request{uri: "/env"}); resp.StatusCode != 200 {
			t.Errorf("got %d", resp.StatusCode)
		}
	}
	p.signal(t, syscall.SIGTERM)
	p.wait(t)
}
