package fdstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"passenger/lib/loglimit"
	"passenger/lib/security"
	"passenger/lib/unixsock"
)

const (
	// patience is how long a Store keeps the sockets of a server that died.
	// Clients wait meanwhile; after it a refusal serves them better.
	patience = time.Minute

	// maxConns is how many connections are served at once.
	maxConns = 16

	// acceptPause is how long to wait when the system is out of descriptors.
	acceptPause = time.Second
)

// A Store keeps the listening sockets of one server. The zero Store is empty.
type Store struct {
	// GID is the group whose members may use the store, besides root and our
	// own user; negative for none. Once a user's sockets are kept, they are
	// that user's and root's only.
	GID int

	refused loglimit.Limiter // of the message that a caller was refused

	mu      sync.Mutex // guards all below
	sockets []Socket
	owner   int           // the user who brought them
	by      *net.UnixConn // whose server lives; nil if it died
	expiry  *time.Timer   // runs while it is dead
}

// Serve answers on l until ctx ends.
func (s *Store) Serve(ctx context.Context, l *net.UnixListener) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var conns sync.WaitGroup
	defer conns.Wait()
	room := make(chan struct{}, maxConns)
	for {
		c, err := l.AcceptUnix()
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			slog.Error("could not accept on the socket for kept sockets", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		select {
		case room <- struct{}{}:
		default:
			c.Close()
			continue
		}
		conns.Go(func() {
			stop := context.AfterFunc(ctx, func() { c.Close() })
			s.serve(c)
			stop()
			s.left(c)
			c.Close()
			<-room
		})
	}
}

// serve answers the requests of one connection.
func (s *Store) serve(c *net.UnixConn) {
	peer, err := unixsock.PeerOf(c)
	if err != nil || !peer.Trusted(s.GID) {
		if err == nil && s.refused.Due() {
			slog.Warn("kept sockets refused", security.DescriptorRefused.Attr(), "user.id", strconv.Itoa(peer.UID), "pid", peer.PID)
		}
		return
	}
	for {
		by := time.Now().Add(answerTime)
		if s.serverIs(c) {
			by = time.Time{} // it is silent as long as it lives
		}
		if err := c.SetReadDeadline(by); err != nil {
			return
		}
		line, fds, err := unixsock.Receive(c)
		if err != nil {
			return
		}
		var q request
		if err := json.Unmarshal(line, &q); err != nil {
			unixsock.CloseAll(fds)
			return
		}
		if err := s.answer(c, peer.UID, q, fds); err != nil {
			return
		}
	}
}

func (s *Store) serverIs(c *net.UnixConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by == c
}

// answer obeys and replies. It takes the descriptors over.
func (s *Store) answer(c *net.UnixConn, uid int, q request, fds []int) error {
	r := reply{Version: version}
	brought, err := match(q.Addresses, fds)
	if q.Action != keep {
		unixsock.CloseAll(fds)
		brought, err = nil, nil
	}
	// Under the lock: what is sent may not be closed meanwhile.
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		err = s.obey(c, uid, q, brought)
	}
	var sent []Socket
	switch {
	case err != nil:
		if s.refused.Due() {
			slog.Warn("sockets refused", security.DescriptorRefused.Attr(), "user.id", strconv.Itoa(uid), "action", q.Action, "err", err)
		}
		r.Error = err.Error()
		CloseAll(brought)
	case q.Action == take:
		sent = s.sockets
	}
	r.Addresses = addresses(sent)
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	return unixsock.Send(c, text, descriptors(sent))
}

func (s *Store) obey(c *net.UnixConn, uid int, q request, brought []Socket) error {
	switch {
	case len(s.sockets) > 0 && uid != 0 && uid != s.owner:
		return fmt.Errorf("the sockets are those of user %d", s.owner)
	case q.Action == keep:
		return s.keep(c, uid, brought)
	case q.Action == take:
		s.narrow(q.Addresses)
	case q.Action == release && s.by != nil && s.by != c:
		return errors.New("the sockets are those of another server by now")
	case q.Action == release:
		s.clear()
	default:
		return fmt.Errorf("unknown action %q", q.Action)
	}
	return nil
}

// keep replaces what is kept.
func (s *Store) keep(c *net.UnixConn, uid int, brought []Socket) error {
	for _, b := range brought {
		if v, err := syscall.GetsockoptInt(b.FD, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err != nil || v == 0 {
			return fmt.Errorf("what is brought for %q is not a listening socket", b.Address)
		}
	}
	s.clear()
	s.sockets, s.owner, s.by = brought, uid, c
	return nil
}

// narrow closes the sockets that are at none of the addresses, if there are
// any.
func (s *Store) narrow(wanted []string) {
	if len(wanted) == 0 {
		return
	}
	s.sockets = slices.DeleteFunc(s.sockets, func(k Socket) bool {
		if slices.Contains(wanted, k.Address) {
			return false
		}
		unixsock.CloseAll([]int{k.FD})
		return true
	})
}

// clear closes what is kept.
func (s *Store) clear() {
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
	CloseAll(s.sockets)
	s.sockets, s.by = nil, nil
}

// left notes the end of a connection: if it was the server's, that died.
func (s *Store) left(c *net.UnixConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == c {
		s.by = nil
		s.orphaned()
	}
}

// orphaned begins to wait for the server's successor.
func (s *Store) orphaned() {
	var t *time.Timer
	t = time.AfterFunc(patience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.expiry == t && s.by == nil {
			slog.Warn("no server came for the sockets of a dead one; they are closed", "listen", addresses(s.sockets), "after", patience)
			s.clear()
		}
	})
	s.expiry = t
}

// Adopt begins with sockets that this program had before it replaced itself.
func (s *Store) Adopt(sockets []Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(sockets) == 0 {
		return
	}
	var st syscall.Stat_t
	if syscall.Fstat(sockets[0].FD, &st) == nil { // without, they are root's
		s.owner = int(st.Uid)
	}
	s.sockets = sockets
	s.orphaned()
}

// Kept returns what is kept, to hand it on. It stays the store's.
func (s *Store) Kept() []Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sockets)
}

// Close closes what is kept.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}
