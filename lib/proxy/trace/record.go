package trace

import (
	"bytes"
	"time"

	"passenger/lib/http1"
)

// A Record is what a request that ended is told with. What is empty is not known. It
// is good until Add returns.
type Record struct {
	Request *http1.Request
	HTTP2   bool
	Addr    []byte // of the client
	Scheme  []byte

	// ServerAddress and ServerPort are what the client asked for.
	ServerAddress, ServerPort []byte

	Began    time.Time
	Took     time.Duration // to the end of the answer
	Queued   time.Time     // when it began to wait for a process, the zero time if it did not
	Waited   time.Duration // in the queue
	Starting bool          // no process ran when it began to wait

	Status int // 0 if the client got none
	Bytes  int64

	App     string
	Process string // its ID
	PID     int
}

// methods are those that a span may be named by, without a stranger's words.
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"}

func (r *Record) method() (name string, known bool) {
	for _, m := range methods {
		if string(r.Request.Method) == m {
			return m, true
		}
	}
	return "_OTHER", false
}

// state is the tracestate that came with the trace: several fields are one list.
func (r *Record) state(s *Span) []byte {
	if !s.remote {
		return nil
	}
	var one []byte
	n := 0
	for i := range r.Request.Count() {
		if r.Request.Kind(i) != http1.TraceState {
			continue
		}
		if n++; n == 1 {
			one = r.Request.Value(i)
			continue
		}
		one = bytes.Join([][]byte{one, r.Request.Value(i)}, []byte(","))
	}
	if len(one) > mostState {
		return nil // half a list would say something else
	}
	return one
}

// appendAsked appends what the client asked for, by the names of the semantic
// conventions. The query is left out, since it may hold what is secret.
func (r *Record) appendAsked(b []byte) []byte {
	const f = attributesField
	path := r.Request.Path
	if path == nil {
		path, _, _ = bytes.Cut(r.Request.Target, []byte{'?'})
	}
	b = appendString(b, f, "url.path", path, mostPath)
	b = appendString(b, f, "url.scheme", r.Scheme, mostText)
	b = appendString(b, f, "client.address", r.Addr, mostText)
	b = appendString(b, f, "user_agent.original", r.Request.Find(http1.UserAgent), mostText)
	version := "1.1"
	switch {
	case r.HTTP2:
		version = "2"
	case r.Request.Minor == 0:
		version = "1.0"
	}
	b = appendString(b, f, "network.protocol.version", version, mostText)
	return appendInt(b, "http.response.body.size", r.Bytes)
}

// appendEvents appends what happened to the request here.
func (s *Span) appendEvents(b []byte, r *Record) []byte {
	var at int
	switch s.cache {
	case cacheHit:
		b, at = appendEvent(b, "cache.hit", r.Began)
		b = closeMessage(b, at)
	case cacheMiss:
		b, at = appendEvent(b, "cache.miss", r.Began)
		b = closeMessage(b, at)
	}
	if r.Queued.IsZero() {
		return b
	}
	name := "queue"
	if r.Starting {
		name = "start"
	}
	b, at = appendEvent(b, name+".wait", r.Queued)
	b = closeMessage(b, at)
	b, at = appendEvent(b, name+".end", r.Queued.Add(r.Waited))
	return closeMessage(appendFloat(b, "passenger.wait_seconds", r.Waited.Seconds()), at)
}
