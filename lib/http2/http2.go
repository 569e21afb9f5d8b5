// Package http2 serves connections that speak HTTP/2: RFC 9113, and RFC 8441
// for WebSockets.
//
// Each request becomes a [Stream]: a connection that brings one HTTP/1.1
// request, as its client would have written it, and takes an HTTP/1.1 answer,
// whose parts leave as frames. So there is one way to parse, route, queue and
// refuse. What has no meaning in HTTP/1.1, or two, is refused here.
//
// A connection has one goroutine, which reads, and one for each request under
// way. All that it remembers is bounded: see the constants.
//
// It stands on the Framer and the HPACK of golang.org/x/net, and not on the server
// of net/http: that parses each request a second time behind a pipe in memory, and
// fails 5 of the 146 strict cases of h2spec.
package http2

import (
	"time"

	"passenger/lib/http1"
)

// What a client may make us hold.
const (
	// MaxStreams is how many requests a connection may have open.
	MaxStreams = 128

	// maxServed is how many may be served, those among them that the client
	// took back.
	maxServed = 2 * MaxStreams

	// maxFrame is the size of frames both ways: the least that is allowed.
	// Larger ones gain nothing.
	maxFrame = 16 << 10

	// maxHead is how long a head may be. A stream with a longer one brings so
	// much of it that who reads it refuses it.
	maxHead = http1.MaxHead

	// maxBlock and maxFragments bound a head as it comes, in bytes and in
	// frames. Beyond them the connection ends.
	maxBlock     = 256 << 10
	maxFragments = 64

	// streamWindow and connWindow are how much of the bodies we hold before
	// they are read, in bytes: of one stream, and of all. mostWindow is that of
	// a stream whose body is read: see inflow.
	streamWindow = 64<<10 - 1
	mostWindow   = 256 << 10
	connWindow   = 1 << 20

	// maxPending is how much may wait for being written.
	maxPending = 64 << 10

	// tableSize is the size of the table of fields, for each direction; 4,096
	// is what both sides begin with. We never make entries in ours.
	tableSize = 4096
)

// A Config says how to serve a connection.
type Config struct {
	Header time.Duration // for the preface, and from a head's first frame to its last
	Idle   time.Duration // without a request
	Write  time.Duration // for the client to take what is written at once

	// Serve answers the request of a stream. It runs in a goroutine of its
	// own; the stream is closed when it returns.
	Serve func(*Stream)
}

const (
	// roundTrip is how long a client has, at most, to learn that it shall open
	// no more streams before those that it opens are lost: RFC 9113, 6.8.
	roundTrip = 500 * time.Millisecond

	// lingerTime bounds how long we read on at the end: closing at once would
	// lose the reason.
	lingerTime = time.Second
)
