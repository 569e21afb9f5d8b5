package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// mostStreams is how many dashboards are kept up to date at once.
	mostStreams = 64

	// streamStep is the pause between two events, manyStep that if there are
	// over manyApps apps: each event tells of all.
	streamStep = time.Second
	manyStep   = 3 * time.Second
	manyApps   = 200

	// eventTimeout is how long a browser may take for one event.
	eventTimeout = 10 * time.Second
)

// stream sends the dashboard's view again and again, as server-sent events
// (HTML Standard, section 9.2). A browser that does not read is dropped, and
// connects again by itself.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, v viewer) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx passes each event on at once
	if r.Method == http.MethodHead {
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		fail(w, &refusal{http.StatusServiceUnavailable, fmt.Sprintf("%d dashboards are open already", mostStreams)})
		return
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{}) // the request has been read
	app := r.URL.Query().Get("app")
	for {
		view, err := s.view(r.Context(), v, app)
		if err != nil {
			return
		}
		b, err := json.Marshal(view)
		if err != nil {
			return
		}
		if rc.SetWriteDeadline(time.Now().Add(eventTimeout)) != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", b); err != nil || rc.Flush() != nil {
			return
		}
		pause := streamStep
		if len(view.Apps) > manyApps {
			pause = manyStep
		}
		select {
		case <-time.After(pause):
		case <-r.Context().Done():
			return
		case <-s.stopped.Done():
			return
		}
		// Who may see it is asked again: the cookie may have ended.
		if v, err = s.viewerOf(r); err != nil {
			return
		}
	}
}
