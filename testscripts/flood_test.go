package testscripts

import (
	"net"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdFlood opens connections that say nothing, more than the proxy can take,
// and closes them again. It tells how soon after that a client has its answer:
// flood COUNT ADDRESS PATH
func cmdFlood(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: flood COUNT ADDRESS PATH")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range n {
		c, err := net.DialTimeout("tcp", args[1], waitBound)
		ts.Check(err)
		conns = append(conns, c)
	}
	for _, c := range conns {
		c.Close()
	}
	began := time.Now()
	ts.Check(address(args[1]).get(args[2], nil))
	ts.Logf("%d connections; an answer %v after they were closed", n, time.Since(began).Round(time.Millisecond))
}
