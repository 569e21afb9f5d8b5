package spawn

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"passenger/lib/protocol"
)

// A start whose port another program took meanwhile is made once more; the
// list shows one process, that has not ended until it did for good.
func TestAStartThatLosesItsPortIsMadeAgain(t *testing.T) {
	t.Parallel()
	for name, losses := range map[string]int{"once": 1, "twice": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newSpawner(t, shortDir(t))
			fifo := filepath.Join(t.TempDir(), "port")
			for _, name := range []string{fifo + ".out", fifo + ".in"} {
				if err := unix.Mkfifo(name, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			done := make(chan error, 1) // one send
			go func() {
				_, err := s.Spawn(t.Context(), request("abcd", appConfig("port-when "+fifo)))
				done <- err
			}()
			var ports []string
			for i := range 2 {
				port, err := os.ReadFile(fifo + ".out")
				if err != nil {
					t.Fatal(err)
				}
				ports = append(ports, string(port))
				if list := s.Processes().Get().Processes; len(list) != 1 || list[0].State != protocol.Starting || list[0].Exit != nil {
					t.Errorf("start %d: the list has %+v, want one process that starts", i+1, list)
				}
				if i < losses {
					l, err := net.Listen("tcp", "127.0.0.1:"+string(port))
					if err != nil {
						t.Fatal(err)
					}
					defer l.Close()
				}
				if err := os.WriteFile(fifo+".in", nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := <-done
			if ports[0] == ports[1] {
				t.Errorf("both starts got port %s", ports[0])
			}
			want := protocol.Ready
			var e *protocol.SpawnError
			switch {
			case losses == 1 && err != nil:
				t.Errorf("got %v", err)
			case losses == 2 && (!errors.As(err, &e) || e.Category != protocol.CategoryPort):
				t.Errorf("got %v, want an error about the port", err)
			case losses == 2:
				want = protocol.Exited
			}
			if list := s.Processes().Get().Processes; len(list) != 1 || list[0].State != want {
				t.Errorf("at the end the list has %+v, want one process that is %s", list, want)
			}
		})
	}
}
