package testscripts

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"

	"passenger/lib/statedir"
)

// cmdAwaitMetric waits until a line of a daemon's metrics matches:
// await-metric DAEMON PATTERN
func cmdAwaitMetric(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await-metric DAEMON PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	socket := statedir.At(worldOf(ts).state).Socket(args[0])
	client := &http.Client{Timeout: waitBound, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	ts.Check(eventually(args[1], func() error {
		resp, err := client.Get("http://daemon/metrics")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && !pattern.Match(text) {
			err = fmt.Errorf("no such line in:\n%s", text)
		}
		return err
	}))
}
