package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status"
	"passenger/lib/unixsock"
)

// Each answer comes only once all others were asked for: a server that waits for
// one before it asks for the next would answer none.
func TestAllAnswersAreAskedForAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path     string
		s        status.Snapshot
		uid      int // over a unix socket, unless it is negative
		requests bool
		token    Token
	}{
		"metrics":                  {"/metrics", calm(), -1, false, ""},
		"metrics of an owner":      {"/metrics", village(), 1000, false, ""},
		"dashboard":                {"/v1/dashboard", calm(), -1, false, ""},
		"dashboard with token":     {"/v1/dashboard", calm(), -1, false, secretToken},
		"dashboard of an app":      {"/v1/dashboard?app=hers", calm(), -1, true, ""},
		"the same, of its owner":   {"/v1/dashboard?app=hers", village(), 1000, true, ""},
		"dashboard over a socket":  {"/v1/dashboard", village(), 0, false, ""},
		"the same with a token":    {"/v1/dashboard?app=hers", calm(), -1, true, secretToken},
		"the same, asked by owner": {"/v1/dashboard", village(), 1001, false, secretToken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := &Server{Token: c.token, source: &source{}, stopped: t.Context()}
			snapshot, metrics, requests := make(chan struct{}), make(chan struct{}), make(chan struct{})
			if !c.requests {
				close(requests)
			}
			wait := func(own chan struct{}, others ...chan struct{}) {
				select {
				case <-own:
				default:
					close(own)
				}
				for _, other := range others {
					select {
					case <-other:
					case <-time.After(time.Minute):
						t.Error("the others were not asked for meanwhile")
					}
				}
			}
			x.source.snapshot.ask = func() looked {
				wait(snapshot, metrics, unlessLooking(c.token, c.uid, requests))
				return looked{c.s, nil}
			}
			x.source.metrics.ask = func() []byte { wait(metrics, snapshot); return []byte(metricsText) }
			x.source.requests.ask = func() []protocol.Request { wait(requests); return nil }
			r := httptest.NewRequest(http.MethodGet, c.path, nil)
			r.Host = "127.0.0.1:9149"
			r.Header.Set("Authorization", "Bearer "+string(secretToken))
			if c.uid >= 0 {
				r = r.WithContext(context.WithValue(r.Context(), connKey{}, unixsock.Peer{UID: c.uid}))
			}
			if w := do(x.guard(x.routes()), r); w.Code != http.StatusOK {
				t.Errorf("got %d: %s", w.Code, w.Body)
			}
		})
	}
}

// unlessLooking is requests, but where the snapshot is to tell who asks, and what he
// asks for comes after it.
func unlessLooking(token Token, uid int, requests chan struct{}) chan struct{} {
	if token != "" || uid >= 0 {
		return requests
	}
	none := make(chan struct{})
	close(none)
	return none
}
