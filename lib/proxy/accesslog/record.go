package accesslog

import (
	"time"

	"passenger/lib/http1"
)

// A Record is what the log is told of a request and its answer. What is empty
// is not known. It is good until Add returns.
type Record struct {
	Request *http1.Request // without a method if it was not understood
	HTTP2   bool
	ID      []byte
	Trace   []byte // the ID of the W3C trace that it belongs to
	Addr    []byte // of the client
	User    []byte // the user that a web server in front authenticated
	TLS     *TLS   // of the connection

	Began  time.Time
	Took   time.Duration // to the end of the answer
	Waited time.Duration // in the queue, of that

	Status int
	Bytes  int64 // of the answer's body, as the client took it

	App     string
	Process string // its ID
	PID     int
}
