package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestPageSaysWhatServesIt(t *testing.T) {
	t.Parallel()
	d := &demo{address: &net.UnixAddr{Name: "/run/app.sock", Net: "unix"}, started: time.Now()}
	for n := 1; n <= 2; n++ {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		for _, want := range []string{strconv.Itoa(os.Getpid()), "unix:/run/app.sock", os.Args[0], `class="count">` + strconv.Itoa(n) + "<"} {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("got no %q in\n%s", want, w.Body)
			}
		}
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/none", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("got %d for an unknown path, want 404", w.Code)
	}
}

func TestNotifySaysReady(t *testing.T) {
	name := filepath.Join(t.TempDir(), "n")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Skip(err) // the temporary folder's name is too long for a socket
	}
	defer c.Close()
	t.Setenv("NOTIFY_SOCKET", name)
	if err := notify("READY=1"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	n, err := c.Read(b)
	if err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("got %q, %v, want READY=1", b[:n], err)
	}
}
