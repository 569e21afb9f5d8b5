package spawn

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
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
// sd_notify(3): a datagram socket with an abstract name (unix(7)), so that the
// app's user need not write to any path of ours.
type notifier struct {
	conn *net.UnixConn
	name string        // with a leading "@"
	done chan struct{} // closed when listen has returned
}

// listenNotify listens under a name that nobody can guess, or under the given
// one if that is not empty.
func listenNotify(name string) (*notifier, error) {
	if name == "" {
		name = "@passenger-" + rand.Text()
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	if err := passCredentials(conn); err != nil {
		conn.Close()
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	return &notifier{conn: conn, name: name, done: make(chan struct{})}, nil
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

// listen passes on, until the notifier is closed, what processes of the group
// say. What others send, and what is no notice, is dropped.
func (n *notifier) listen(group int, got func(notice)) {
	defer close(n.done)
	defer bug.Caught(nil)
	buf := make([]byte, maxNotice)
	oob := make([]byte, unix.CmsgSpace(unix.SizeofUcred)+64)
	var flood throttle
	for {
		if wait := flood.wait(time.Now()); wait > 0 {
			time.Sleep(wait)
		}
		size, oobSize, _, _, err := n.conn.ReadMsgUnix(buf, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		from := sender(oob[:oobSize])
		if from == os.Getpid() {
			return // the word of close
		}
		if err != nil || !proc.InGroup(from, group) {
			continue
		}
		hear(buf[:size], got)
	}
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
	defer n.conn.Close()
	own, err := n.client()
	if err != nil {
		return
	}
	defer own.Close()
	if _, err := own.Write([]byte{'.'}); err == nil { // an empty datagram looks like an end
		<-n.done
	}
}

// close gives up a notifier that nobody listens on.
func (n *notifier) close() { n.conn.Close() }
