package port

import (
	"net"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCandidatesAreOutsideTheEphemeralRange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, ephemeral, reserved string
		low, high, count          int
	}{
		{"the usual range", "32768\t60999", "", 61000, 65535, 4536},
		{"reserved ports", "32768 60999", "61000,61010-61019", 61001, 65535, 4525},
		{"nothing above", "32768 65535", "", 10000, 32767, 22768},
		{"little above", "32768 65500", "", 10000, 65535, 22768 + 35},
		{"everything is ephemeral", "1024 65535", "", 10000, 65535, 55536},
		{"everything but a few low ones", "10050 65535", "", 10000, 65535, 55536},
		{"a low range", "1024 4999", "", 10000, 65535, 55536},
		{"an answer that is none", "nonsense", "1-,x,70000-80000", 10000, 65535, 55536},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ports := candidates(tt.ephemeral, tt.reserved)
			if len(ports) != tt.count || slices.Min(ports) != tt.low || slices.Max(ports) != tt.high {
				t.Errorf("got %d from %d to %d, want %d from %d to %d", len(ports), slices.Min(ports), slices.Max(ports), tt.count, tt.low, tt.high)
			}
			slices.Sort(ports)
			if len(slices.Compact(ports)) != tt.count {
				t.Error("a port is there twice")
			}
		})
	}
}

func TestATakenPortIsGivenToNobodyElse(t *testing.T) {
	t.Parallel()
	var b Book
	given := map[int]bool{}
	for range 200 {
		port, err := b.Take()
		if err != nil {
			t.Fatal(err)
		}
		if given[port] {
			t.Fatalf("port %d was given twice", port)
		}
		given[port] = true
		if !Taken(port) {
			t.Errorf("port %d is not held", port)
		}
	}
	for port := range given {
		b.Leave(port)
	}
	if len(b.taken) != 0 {
		t.Errorf("%d are kept", len(b.taken))
	}
}

// A port that a program has bound on any of the addresses counts as taken,
// whether it listens or not.
func TestTakenIsTakenOnAnyAddress(t *testing.T) {
	t.Parallel()
	var b Book
	for _, address := range []string{"127.0.0.1", "0.0.0.0", "127.0.0.9", "[::1]"} {
		port, err := b.Take()
		if err != nil {
			t.Fatal(err)
		}
		b.Release(port)
		b.Release(port) // the second does nothing
		if Taken(port) {
			t.Errorf("port %d is taken before anyone did", port)
		}
		l, err := net.Listen("tcp", address+":"+strconv.Itoa(port))
		if err != nil && address == "[::1]" {
			t.Skip("no IPv6")
		}
		if err != nil {
			t.Fatal(err)
		}
		if fd, err := bind(port, false); !Taken(port) || err == nil {
			unix.Close(fd)
			t.Errorf("port %d is bound on %s, and counts as free", port, address)
		}
		l.Close()
	}
}
