package accesslog

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"passenger/lib/http1"
)

// asked is the record of a request by a user.
func asked(user string) *Record {
	return &Record{Request: &http1.Request{}, User: []byte(user), Began: time.Now()}
}

func TestAccessLogIsReopened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, moved := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
	l, err := Open(path, Common)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { l.Run(ctx); close(done) }()
	l.Add(asked("one"))
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(ctx); err != nil {
		t.Fatal(err)
	}
	l.Add(asked("two"))
	cancel()
	<-done
	for name, want := range map[string]string{moved: "one", path: "two"} {
		if b, err := os.ReadFile(name); err != nil || strings.Count(string(b), "\n") != 1 || !strings.Contains(string(b), " - "+want+" [") {
			t.Errorf("%s: got %q, %v, want %q", name, b, err, want)
		}
	}
}

// What a rush of requests made room for is given back.
func TestAccessLogIsSmallAfterARush(t *testing.T) {
	t.Parallel()
	l, err := Open(filepath.Join(t.TempDir(), "log"), Common)
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	for len(l.lines) < logFlush {
		l.Add(asked("rush"))
	}
	for range 4 {
		l.flush()
		l.Add(asked("later"))
	}
	if kept := cap(l.lines) + cap(l.spare); kept > 2*logKept || l.Missing() > 0 {
		t.Errorf("got %d bytes of room and %d lines missing, want little and none", kept, l.Missing())
	}
}

// Every format says who asked, whole and on one line.
func TestFormatsNameTheUser(t *testing.T) {
	t.Parallel()
	var s second
	r := asked("ann\n\"x")
	s.set(r.Began)
	for format, want := range map[Format]string{
		Common: `- - ann\x0a\"x [`, Combined: `- - ann\x0a\"x [`, VHost: `- - - ann\x0a\"x [`, JSON: `"user.name":"ann\u000a\"x"`,
	} {
		if got := string(format.append(nil, r, &s)); !strings.Contains(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: got %q, want %q in it", format, got, want)
		}
	}
}

func TestShortLines(t *testing.T) {
	t.Parallel()
	get := &http1.Request{Method: []byte("GET"), Target: []byte("/a\x1bb")}
	for _, tt := range []struct {
		r    Record
		want string
	}{
		{Record{Request: get, Status: 200, Took: 12340 * time.Microsecond, Waited: 400 * time.Microsecond, App: "shop", PID: 47}, "GET /a\\x1bb 200 12.3ms queue 0.4ms shop[47]\n"},
		{Record{Request: get, Status: 304, Took: 90 * time.Microsecond, App: "shop"}, "GET /a\\x1bb 304 0.1ms\n"},
		{Record{Request: &http1.Request{}, Status: 400}, "- 400 0.0ms\n"},
	} {
		if got := string(Short.append(nil, &tt.r, new(second))); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
