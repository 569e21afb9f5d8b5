package systemd

import (
	"fmt"
	"net"
	"time"
)

// JournalSocket is where the journal takes entries with fields.
const JournalSocket = "/run/systemd/journal/socket"

// journalPatience bounds the wait for a journal that does not keep up.
const journalPatience = 5 * time.Second

// A Journal takes entries in its native protocol: a datagram each, with a field a
// line, "NAME=VALUE\n".
type Journal struct{ conn *net.UnixConn }

// OpenJournal connects to the socket of a journal.
func OpenJournal(path string) (*Journal, error) {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("connect to the journal: %w", err)
	}
	return &Journal{conn}, nil
}

// Write sends one entry. It waits for a journal that is slow, but not for ever.
func (j *Journal) Write(entry []byte) (int, error) {
	if err := j.conn.SetWriteDeadline(time.Now().Add(journalPatience)); err != nil {
		return 0, err
	}
	return j.conn.Write(entry)
}
