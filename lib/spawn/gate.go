package spawn

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/app"
	"passenger/lib/proc"
)

// Descriptors of a process as it starts.
const (
	listenFD = 3 // its listening socket
	notifyFD = 4 // connected to its notifier
	gateFD   = 5 // until it becomes the command
)

// A gate is between the fork and the command: the new process is this program
// once more ("passenger-spawn exec --gate"), and it goes on to the command only
// when told so. A spawner that is killed between the fork and the record so
// leaves no process that nobody knows of: the gate sees the end of its other
// side and exits.
type gate struct {
	ours *os.File
	file *os.File // that came through it and was not taken, nil if none
}

// An order is what the gate is told: what the process changes of itself, and
// what it adds to its environment, before it becomes the command. It goes over
// the gate and not over the command line, which everybody may read.
type order struct {
	Change proc.Change `json:"change"`
	Env    EnvSources  `json:"env"`

	// IgnoreQuit has SIGQUIT ignored until the command handles it.
	IgnoreQuit bool `json:"ignore_quit,omitempty"`

	// Survey has the process look at an app's directory, answer and end.
	Survey *survey `json:"survey,omitempty"`

	// Hunch has it look and answer; the order to become the command comes next.
	Hunch *hunch `json:"hunch,omitempty"`

	// LogFile has it open that file, hand it over and end.
	LogFile string `json:"log_file,omitempty"`
}

// maxOrder is the longest order and the longest answer, in bytes.
const maxOrder = 1 << 20

// An answer is what the gate says: what it added to the environment, or what
// kept it from the command.
type answer struct {
	Env       map[string]string `json:"env,omitempty"`
	FromFiles []string          `json:"from_files,omitempty"` // the names of Env that env_files set
	Category  string            `json:"category,omitempty"`
	Error     string            `json:"error,omitempty"`
	Advice    string            `json:"advice,omitempty"`

	Findings *findings         `json:"findings,omitempty"` // of a survey
	Unknown  *app.UnknownError `json:"unknown,omitempty"`  // why a survey found no app
}

// newGate returns the gate and the descriptor for the process.
func newGate() (*gate, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make gate: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, fmt.Errorf("make gate: %w", err)
	}
	if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return nil, nil, fmt.Errorf("make gate: %w", err)
	}
	return &gate{ours: os.NewFile(uintptr(fds[0]), "gate")}, os.NewFile(uintptr(fds[1]), "gate"), nil
}

// open tells the process to go on and returns once it became the command or was
// killed, with what it added to its environment. The error is a *gateError or
// ctx's cause. The process may hang before the command, at a directory on a
// file system that does not answer.
func (g *gate) open(ctx context.Context, o order) (a answer, err error) {
	defer g.bound(ctx)()
	text, err := json.Marshal(o)
	if err != nil {
		return answer{}, fmt.Errorf("open gate: %w", err)
	}
	said, err := g.exchange(text)
	if ctx.Err() != nil {
		return answer{}, context.Cause(ctx)
	}
	if err != nil {
		return answer{}, fmt.Errorf("open gate: %w", err)
	}
	if len(said) == 0 {
		return answer{}, nil // it became the command, or is gone already
	}
	if err := json.Unmarshal(said, &a); err != nil {
		return answer{}, fmt.Errorf("open gate: its answer %q: %w", said[:min(len(said), 80)], err)
	}
	if a.Unknown != nil {
		return answer{}, a.Unknown
	}
	if a.Error != "" {
		return answer{}, &gateError{category: a.Category, message: a.Error, advice: a.Advice}
	}
	return a, nil
}

// bound ends what the gate waits for when ctx ends, until stop is called.
func (g *gate) bound(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = g.ours.SetDeadline(time.Unix(1, 0)) }) // a socket has deadlines
}

// exchange sends the order and reads what comes back until the process closes
// its side, which it does when it becomes the command.
func (g *gate) exchange(text []byte) ([]byte, error) {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	if _, err := g.ours.Write(append(length, text...)); errors.Is(err, syscall.EPIPE) {
		return nil, nil // it is gone; whoever waits for it sees that
	} else if err != nil {
		return nil, err
	}
	said, err := g.read()
	if errors.Is(err, syscall.ECONNRESET) {
		return nil, nil
	}
	return said, err
}

// hello waits for the word of a process that a preloader forked, and returns
// its number, which the kernel adds (SCM_CREDENTIALS in unix(7)).
func (g *gate) hello(ctx context.Context) (pid int, err error) {
	stop := context.AfterFunc(ctx, func() { _ = g.ours.SetDeadline(time.Unix(1, 0)) }) // a socket has deadlines
	defer stop()
	raw, err := g.ours.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("gate: %w", err)
	}
	var n int
	var received error
	err = raw.Read(func(fd uintptr) bool {
		buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(unix.SizeofUcred))
		var size int
		n, size, _, _, received = unix.Recvmsg(int(fd), buf, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		if received == nil {
			pid = sender(oob[:size])
		}
		return !errors.Is(received, unix.EAGAIN)
	})
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		return 0, fmt.Errorf("gate: %w", err)
	case received != nil || n == 0 || pid == 0:
		return 0, fmt.Errorf("%w: its process ended before it said a word", errPreloaderLost)
	}
	return pid, nil
}

// pass lets a forked process go on.
func (g *gate) pass() error {
	if _, err := g.ours.Write([]byte{'g'}); err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("open gate: %w", err)
	}
	return nil // if it is gone, whoever waits for it sees that
}

// passAndKeep lets a forked process go on that keeps its side of the gate, so
// that it can be asked to fork later on. The connection is ours, and nil if the
// process is gone.
func (g *gate) passAndKeep() (*net.UnixConn, error) {
	if _, err := g.ours.Write([]byte{'k'}); errors.Is(err, syscall.EPIPE) {
		return nil, nil // whoever waits for it sees that
	} else if err != nil {
		return nil, fmt.Errorf("open gate: %w", err)
	}
	conn, err := net.FileConn(g.ours)
	if err != nil {
		return nil, fmt.Errorf("keep gate: %w", err)
	}
	return conn.(*net.UnixConn), nil
}

func (g *gate) close() {
	g.ours.Close()
	if g.file != nil {
		g.file.Close()
	}
}

// What kind of error came through a gate.
const (
	gateCommand    = "command" // the command does not exist
	gatePermission = "permission"
	gateConfig     = "config" // a file that the settings name
	gateOther      = "other"
)

type gateError struct {
	category string
	message  string
	advice   string // empty for the usual one
}

func (e *gateError) Error() string { return e.message }

// gateArgs is the command line of a process at its gate.
func gateArgs(command []string) []string {
	return append([]string{"passenger-spawn", "exec", "--gate", "--"}, command...)
}

// AtGate says whether args, with the program's name first, are the command line
// of a process at its gate. The program then calls PassGate before anything
// else: what it does besides, every start of a process waits for.
func AtGate(args []string) bool {
	return len(args) > 4 && args[1] == "exec" && args[2] == "--gate"
}

// PassGate is the other side: it waits for the order, changes what that says,
// sets LISTEN_PID and becomes the command, which inherits the descriptors below
// the gate's and none else. It returns only if it cannot, and has told so
// through the gate then.
func PassGate(args []string) error {
	signal.Ignore(unix.SIGQUIT) // it asks what a process does, which this one cannot say
	if err := unix.CloseRange(gateFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		unix.CloseOnExec(gateFD) // Linux before 5.11
	}
	g := os.NewFile(gateFD, "gate")
	o, err := readOrder(g)
	if err != nil {
		return err
	}
	if o.Hunch != nil {
		if o, err = answerHunch(g, o.Hunch); err != nil {
			return err
		}
	}
	if o.run(g) {
		return nil
	}
	err = o.Change.Apply()
	var added answer
	if err == nil {
		added, err = o.Env.read(o.Change.Dir)
	}
	if err == nil && len(added.Env) > 0 {
		err = json.NewEncoder(g).Encode(added)
	}
	if err == nil {
		proc.UnignoreSignals()
		if o.IgnoreQuit {
			signal.Ignore(unix.SIGQUIT)
		}
		env := append(o.Env.merge(os.Environ(), added.Env), "LISTEN_PID="+strconv.Itoa(os.Getpid()))
		err = proc.Exec(args[4:], env)
	}
	return errors.Join(err, json.NewEncoder(g).Encode(refusal(err)))
}

func readOrder(g io.Reader) (o order, err error) {
	var length [4]byte
	if _, err := io.ReadFull(g, length[:]); err != nil {
		return o, errors.New("the spawner is gone")
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxOrder {
		return o, fmt.Errorf("an order of %d bytes is too long", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(g, text); err != nil {
		return o, errors.New("the spawner is gone")
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("order: %w", err)
	}
	return o, nil
}

// refusal puts an error into the words of an answer.
func refusal(err error) answer {
	a := answer{Category: gateOther, Error: err.Error()}
	var blocked *proc.BlockedError
	var file *envFileError
	switch {
	case errors.As(err, &blocked):
		a.Category = gatePermission
		a.Error = blocked.Error()
		a.Advice = fmt.Sprintf("let the user in: chmod o+x %s, or give the directory to one of its groups", blocked.Directory)
	case errors.As(err, &file):
		a.Category = gateConfig
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		a.Category = gatePermission
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOEXEC), errors.Is(err, exec.ErrNotFound):
		a.Category = gateCommand
	}
	return a
}
