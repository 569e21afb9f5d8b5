package web

import (
	"context"

	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/status"
	"passenger/lib/status/scrape"
)

// A source is what the daemons say now. It asks them with no caller's context:
// the answer is for all who wait.
type source struct {
	snapshot once[looked]
	metrics  once[[]byte]
	requests once[[]protocol.Request]
}

// A looked is a snapshot, or why there is none.
type looked struct {
	status.Snapshot
	err error
}

func newSource(c status.Caller, dir statedir.Dir) *source {
	s := &source{}
	s.snapshot.ask = func() looked {
		snapshot, err := c.Gather(context.Background(), dir)
		return looked{snapshot, err}
	}
	s.metrics.ask = func() []byte { return scrape.Ask(context.Background(), c, dir) }
	s.requests.ask = func() []protocol.Request {
		list, err := c.Requests(context.Background(), dir)
		if err != nil {
			return nil // the snapshot says that the proxy does not answer
		}
		return list
	}
	return s
}
