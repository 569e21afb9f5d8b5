package spawn

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/visible"
)

// maxNotice is the longest message on a notify socket that is read, in bytes.
const maxNotice = 8 << 10

// errorKey introduces an adapter's reason why the app did not load: the JSON
// of a [report].
const errorKey = "X_PASSENGER_ERROR="

// Keys of what an adapter says besides READY=1: what is amiss, as a sentence,
// and how many sessions the process can take at once.
const (
	warningKey     = "X_PASSENGER_WARNING="
	concurrencyKey = "X_PASSENGER_CONCURRENCY="
)

// A notifier is the socket on which one process reports READY=1, as in
// sd_notify(3): a datagram socket at a path, as systemd's is. Not every client
// of sd_notify knows abstract names (unix(7)); Ruby's does not.
type notifier struct {
	conn *net.UnixConn
	name string        // its path; of a process that an older spawner started maybe an abstract name, "@" first
	done chan struct{} // closed when listen has returned
}

// Owners of a notify socket who are no single user.
const anyUser = -1

// newNotifier listens in the directory under a name that nobody can guess, for
// the processes of one user or, if that is anyUser, of all.
func newNotifier(dir string, uid int) (*notifier, error) {
	return listenNotify(filepath.Join(dir, rand.Text()), uid)
}

// renewNotifier listens again for a process that has the name already.
func renewNotifier(name string) (*notifier, error) {
	if isAbstract(name) {
		return listenNotify(name, anyUser)
	}
	uid := anyUser
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err == nil && st.Mode&0o077 == 0 {
		uid = int(st.Uid)
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	return listenNotify(name, uid)
}

func isAbstract(name string) bool { return strings.HasPrefix(name, "@") }

func listenNotify(name string, uid int) (n *notifier, err error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	n = &notifier{conn: conn, name: name, done: make(chan struct{})}
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	if err := passCredentials(conn); err != nil {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	switch {
	case isAbstract(name):
	case uid == anyUser:
		err = os.Chmod(name, 0o666)
	default:
		// The directory is ours alone, so the path is the socket.
		err = errors.Join(os.Chmod(name, 0o600), os.Lchown(name, uid, -1))
	}
	if err != nil {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	return n, nil
}

// passCredentials asks the kernel to say with each message who sent it
// (SO_PASSCRED in unix(7)).
func passCredentials(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	})
	return errors.Join(err, set)
}

// client returns a socket connected to the notifier, for the process to
// inherit.
func (n *notifier) client() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: n.name}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	return os.NewFile(uintptr(fd), "notify"), nil
}

// A notice is what a process said.
type notice struct {
	ready       bool
	report      *report  // why the app did not load, else nil
	warnings    []string // what is amiss though it loads
	concurrency int      // how many sessions it can take at once, 0 if it did not say
}

// A report is an adapter's word on why the app did not load. The app itself may
// speak in its place, or in its adapter's words.
type report struct {
	Category protocol.Category `json:"category"`
	Summary  string            `json:"summary"`
	Advice   string            `json:"advice"`
}

// reportable are the categories that a report may have: not what the spawner or
// the pool finds out themselves.
var reportable = []protocol.Category{
	protocol.CategoryConfig, protocol.CategoryInterpreter, protocol.CategoryPermission, protocol.CategoryDependency,
	protocol.CategorySyntax, protocol.CategoryApp, protocol.CategoryExit, protocol.CategoryPort, protocol.CategorySystem,
}

// parseReport reads the JSON of a report, nil if it is none. One of an unknown
// category is the app's own.
func parseReport(text []byte) *report {
	var r report
	if json.Unmarshal(text, &r) != nil {
		return nil
	}
	r.Summary, r.Advice = oneLine(r.Summary), oneLine(r.Advice)
	if r.Summary == "" {
		return nil
	}
	if !slices.Contains(reportable, r.Category) {
		r.Category = protocol.CategoryApp
	}
	return &r
}

// oneLine is what an app says as one line that a terminal may be shown.
func oneLine(s string) string { return visible.Line(strings.Join(strings.Fields(s), " ")) }

const (
	// mostWarnings is how many warnings of one process are kept, and maxWarning
	// the longest, in bytes.
	mostWarnings = 16
	maxWarning   = 1 << 10

	// mostConcurrency is the most sessions at once that a process is believed
	// to take.
	mostConcurrency = 1 << 20
)

// listen passes on, until the notifier is finished or closed, what processes of
// the group say. What others send, and what is no notice, is dropped.
func (n *notifier) listen(group int, got func(notice)) {
	defer close(n.done)
	defer bug.Caught(nil)
	buf := make([]byte, maxNotice)
	oob := make([]byte, unix.CmsgSpace(unix.SizeofUcred)+64)
	take := func(size, oobSize int) {
		if proc.InGroup(sender(oob[:oobSize]), group) {
			hear(buf[:size], got)
		}
	}
	var flood throttle
	for {
		if wait := flood.wait(time.Now()); wait > 0 {
			time.Sleep(wait)
		}
		size, oobSize, _, _, err := n.conn.ReadMsgUnix(buf, oob)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			n.rest(buf, oob, take)
			return
		case err == nil:
			take(size, oobSize)
		}
	}
}

// mostRest bounds how many messages are read of a process that has ended: what
// the kernel queues of them (net.unix.max_dgram_qlen) is less, unless its
// children go on to send.
const mostRest = 1024

// rest takes what waits in the socket. The deadline is over, so the connection
// itself reads no more.
func (n *notifier) rest(buf, oob []byte, take func(size, oobSize int)) {
	raw, err := n.conn.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = raw.Control(func(fd uintptr) { // fails if it is closed
		for range mostRest {
			size, oobSize, _, _, err := unix.Recvmsg(int(fd), buf, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				return
			}
			take(size, oobSize)
		}
	})
}

// hear passes a message on if it is a notice.
func hear(message []byte, got func(notice)) {
	defer bug.Caught(nil)
	if v, ok := parseNotice(message); ok {
		got(v)
	}
}

// sender is the process that sent a message, by the kernel's word; 0 if it
// gave none.
func sender(oob []byte) int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	pid := 0
	for _, m := range messages {
		if cred, err := unix.ParseUnixCredentials(&m); err == nil {
			pid = int(cred.Pid)
		}
		if fds, err := unix.ParseUnixRights(&m); err == nil {
			for _, fd := range fds {
				unix.Close(fd) // sent unasked; kept, they would use up ours
			}
		}
	}
	return pid
}

func parseNotice(b []byte) (notice, bool) {
	var v notice
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		if bytes.Equal(line, []byte("READY=1")) {
			v.ready = true
		}
		if text, ok := bytes.CutPrefix(line, []byte(errorKey)); ok {
			if r := parseReport(text); r != nil {
				v.report = r
			}
		}
		if text, ok := bytes.CutPrefix(line, []byte(warningKey)); ok {
			v.warnings = addWarnings(v.warnings, oneLine(string(text[:min(len(text), maxWarning)])))
		}
		if text, ok := bytes.CutPrefix(line, []byte(concurrencyKey)); ok {
			if n, err := strconv.Atoi(string(text)); err == nil && n > 0 {
				v.concurrency = min(n, mostConcurrency)
			}
		}
	}
	return v, v.ready || v.report != nil || v.warnings != nil
}

// addWarnings adds what is new, up to mostWarnings.
func addWarnings(all []string, more ...string) []string {
	for _, w := range more {
		if w != "" && len(all) < mostWarnings && !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	return all
}

// finish returns when all that was said so far is passed on, and stops to
// listen. Call it while the group's processes can still be told by the kernel:
// before their leader is reaped.
func (n *notifier) finish() {
	defer n.close()
	if err := n.conn.SetReadDeadline(time.Unix(1, 0)); err == nil {
		<-n.done
	}
}

// close gives up a notifier that nobody listens on, and its path.
func (n *notifier) close() {
	n.conn.Close()
	if isAbstract(n.name) {
		return
	}
	if err := os.Remove(n.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		slog.Error("notify socket not removed", "err", err)
	}
}

// clearNotifySockets removes what belongs to processes that are gone.
func (s *Spawner) clearNotifySockets() error {
	entries, err := os.ReadDir(s.dir.NotifySockets())
	if err != nil {
		return fmt.Errorf("clear notify sockets: %w", err)
	}
	used := map[string]bool{}
	for _, p := range s.processes {
		used[p.snapshot().NotifySocket] = true
	}
	for _, e := range entries {
		path := filepath.Join(s.dir.NotifySockets(), e.Name())
		if used[path] {
			continue
		}
		if err := os.Remove(path); err != nil {
			slog.Error("notify socket not removed", "err", err)
		}
	}
	return nil
}
