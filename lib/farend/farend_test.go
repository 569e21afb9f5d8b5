package farend

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// listenAs has a process of another user listen on an address, and accept what
// comes if it is told to.
func listenAs(t *testing.T, uid uint32, network, address string, accept bool) (at string) {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = []string{"FAREND_LISTEN=" + network + " " + address}
	if accept {
		c.Env = append(c.Env, "FAREND_ACCEPT=1")
	}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = c.Wait() })
	b := make([]byte, 100)
	n, err := out.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestMain(m *testing.M) {
	network, address, ok := strings.Cut(os.Getenv("FAREND_LISTEN"), " ")
	if !ok {
		os.Exit(m.Run())
	}
	l, err := net.Listen(network, address)
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString(l.Addr().String())
	if os.Getenv("FAREND_ACCEPT") != "" {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					panic(err)
				}
				c.Write([]byte("x")) // it is accepted
			}
		}()
	}
	os.Stdin.Read(make([]byte, 1)) // until the test ends
}

func TestWhoseTheOtherEndIs(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can change to another user")
	}
	const user, other = 4711, 4712
	for _, c := range []struct {
		what, network, address string
		accept                 bool
		uid                    uint32
		want                   int
		good                   bool
	}{
		{"its own", "tcp4", "127.0.0.1:0", true, user, user, true},
		{"its own, not accepted yet", "tcp4", "127.0.0.1:0", false, user, user, true},
		{"its own, on all addresses of both kinds", "tcp", "[::]:0", true, user, user, true},
		{"its own, on all addresses, not accepted yet", "tcp", "[::]:0", false, user, user, true},
		{"another's", "tcp4", "127.0.0.1:0", true, other, user, false},
		{"another's, not accepted yet", "tcp4", "127.0.0.1:0", false, other, user, false},
		{"another's, on all addresses", "tcp", "[::]:0", true, other, user, false},
		{"another's, not accepted yet, on all addresses", "tcp", "[::]:0", false, other, user, false},
		{"another's in root's place", "tcp4", "127.0.0.1:0", true, other, 0, false},
		{"root's in its place", "tcp4", "127.0.0.1:0", true, 0, user, true},
		{"IPv6", "tcp6", "[::1]:0", true, user, user, true},
		{"IPv6, another's", "tcp6", "[::1]:0", false, other, user, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			_, port, err := net.SplitHostPort(listenAs(t, c.uid, c.network, c.address, c.accept))
			if err != nil {
				t.Fatal(err)
			}
			host := "127.0.0.1"
			if c.network == "tcp6" {
				host = "::1"
			}
			conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if c.accept {
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			err = Check(conn, c.want)
			var stranger *StrangerError
			if c.good && err != nil || !c.good && (!errors.As(err, &stranger) || stranger.UID != int(c.uid)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	for b.Loop() {
		if err := Check(conn, os.Getuid()); err != nil {
			b.Fatal(err)
		}
	}
}
