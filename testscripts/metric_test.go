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
	ts.Check(worldOf(ts).awaitMetric(args[0], pattern))
}

func (w *world) awaitMetric(daemon string, line *regexp.Regexp) error {
	return eventually("a metric of "+daemon, func() error {
		text, err := w.metrics(daemon)
		if err == nil && !line.Match(text) {
			err = fmt.Errorf("no line matches %q:\n%s", line, text)
		}
		return err
	})
}

func (w *world) metrics(daemon string) ([]byte, error) {
	socket := statedir.At(w.state).Socket(daemon)
	client := &http.Client{Timeout: waitBound, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	resp, err := client.Get("http://daemon/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}
