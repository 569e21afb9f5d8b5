package wire

// A transport moves the bytes of a Conn. There are two: a *Socket makes the
// system calls for a descriptor itself, and is what nearly every connection
// has; a stream goes through a net.Conn. Neither settles a wait or interprets
// an error: Conn does, for both.
type transport interface {
	// read reads once, and waits for that. It reads into p or, if p is nil,
	// into a buffer of size that it takes once there is something to read and
	// returns in any case. At the end n is 0 and err nil or io.EOF.
	read(p []byte, size int) (b *Buffer, n int, err error)

	// write writes all of p and then all of p2, and waits for that.
	write(p, p2 []byte) (n int, err error)

	// gone, say and moved are asked about the peer, and never wait. gone is as
	// Conn.Gone, say as Conn.Foretell. moved reports whether the peer took part of
	// a write that is still under way since moved was last called; false means
	// that the transport would have noted it elsewhere, or cannot know.
	gone() (end, broken bool)
	say(text []byte) (said, ok bool)
	moved() bool
}
