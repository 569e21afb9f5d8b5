package testscripts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// waitBound is the longest that any one wait in a script may take. A start of
// Rails takes two seconds of one core; with thirty others at work on two cores,
// half a minute.
const waitBound = 90 * time.Second

// lookEvery is how often a wait looks again at what has no event to wait for.
const lookEvery = 20 * time.Millisecond

type worldKey struct{}

// A world is one script's daemons and what it runs beside them.
type world struct {
	state   string
	work    string
	env     *testscript.Env
	daemons map[string]*daemon
	loads   map[string]*load
	sockets map[string][]*socket
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// web is the proxy's listening socket.
func (w *world) web() string { return filepath.Join(filepath.Dir(w.state), "web") }

// A daemon is a program in the background. Its output goes to NAME.log in the
// script's folder, appended from one start to the next.
type daemon struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it was reaped
}

// cmdStart starts a daemon: start NAME PROGRAM ARGS…
func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME PROGRAM ARGS…")
	}
	w := worldOf(ts)
	ts.Check(w.start(ts, args[0], args[1:]))
}

func (w *world) start(ts *testscript.TestScript, name string, args []string) error {
	return w.startAs(ts, name, args, func(*exec.Cmd) {})
}

// startAs starts a daemon as prepare has changed its command.
func (w *world) startAs(ts *testscript.TestScript, name string, args []string, prepare func(*exec.Cmd)) error {
	log, err := os.OpenFile(filepath.Join(w.work, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	program := filepath.Join(bin, args[0])
	if _, err := os.Stat(program); err != nil {
		program = args[0] // the system's: it becomes one of ours
	}
	cmd := exec.Command(program, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "PASSENGER_STATE_DIR="+w.state, "PATH="+ts.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	prepare(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	d := &daemon{cmd: cmd, exited: make(chan struct{})}
	w.daemons[name] = d
	go func() {
		_ = cmd.Wait() // the status is in ProcessState
		close(d.exited)
	}()
	return nil
}

// cmdSignal signals a daemon: signal KILL NAME
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signal SIGNAL NAME")
	}
	ts.Check(worldOf(ts).signal(args[0], args[1]))
}

// cmdCtrlC does what a terminal does: SIGINT to all of the daemon's process
// group: ctrl-c NAME
func cmdCtrlC(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ctrl-c NAME")
	}
	d := worldOf(ts).daemons[args[0]]
	if d == nil {
		ts.Fatalf("no daemon %q", args[0])
	}
	ts.Check(syscall.Kill(-d.cmd.Process.Pid, syscall.SIGINT))
}

// cmdSignalGroup signals a daemon and all that is in its process group:
// signal-group SIGNAL NAME
func cmdSignalGroup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signal-group SIGNAL NAME")
	}
	d, sig := worldOf(ts).daemons[args[1]], signals[args[0]]
	if d == nil || sig == 0 {
		ts.Fatalf("no daemon %q or no signal %q", args[1], args[0])
	}
	ts.Check(syscall.Kill(-d.cmd.Process.Pid, sig))
}

var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP,
	"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
}

func (w *world) signal(name, daemon string) error {
	d := w.daemons[daemon]
	sig, ok := signals[name]
	if d == nil || !ok {
		return fmt.Errorf("no daemon %q or no signal %q", daemon, name)
	}
	if err := d.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal %s: %w", daemon, err)
	}
	if sig == syscall.SIGKILL {
		return d.await()
	}
	return nil
}

func (d *daemon) await() error {
	select {
	case <-d.exited:
		return nil
	case <-time.After(waitBound):
		return errors.New("it has not exited")
	}
}

// cmdAwaitExit waits for a daemon to exit: await-exit NAME [STATUS]
func cmdAwaitExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await-exit NAME [STATUS]")
	}
	d := worldOf(ts).daemons[args[0]]
	if d == nil {
		ts.Fatalf("no daemon %q", args[0])
	}
	ts.Check(d.await())
	want := "0"
	if len(args) == 2 {
		want = args[1]
	}
	if got := strconv.Itoa(d.cmd.ProcessState.ExitCode()); got != want {
		ts.Fatalf("%s exited with status %s, want %s", args[0], got, want)
	}
}

// cmdServe starts the spawner, the pool with the given arguments and the
// proxy, each in the background, and waits until they answer and the proxy has the
// pool's route table.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: serve APPDIR… [FLAGS of passenger-pool serve]")
	}
	w := worldOf(ts)
	ts.Check(w.start(ts, "spawn", []string{"passenger-spawn", "serve", "--stop-on-exit"}))
	ts.Check(w.up(ts, statedir.Spawn))
	ts.Check(w.start(ts, "pool", append([]string{"passenger-pool", "serve"}, args...)))
	ts.Check(w.up(ts, statedir.Pool))
	ts.Check(w.start(ts, "proxy", []string{"passenger-proxy", "serve", "--listen", "unix:" + w.web()}))
	ts.Check(w.up(ts, statedir.Proxy))
	ts.Check(eventually("the proxy to know the apps", w.routed))
}

// routed says whether the proxy has the pool's route table.
func (w *world) routed() error {
	var table protocol.Routes
	if err := w.client(statedir.Pool).Call(context.Background(), http.MethodGet, protocol.PathRoutes, nil, &table); err != nil {
		return err
	}
	var has protocol.ProxyApps
	if err := w.client(statedir.Proxy).Call(context.Background(), http.MethodGet, protocol.PathApps, nil, &has); err != nil {
		return err
	}
	if has.RoutesVersion < table.Version {
		return fmt.Errorf("it has version %d of the routes, and there is version %d", has.RoutesVersion, table.Version)
	}
	return nil
}

// cmdAwaitUp waits until a daemon answers: await-up NAME
func cmdAwaitUp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await-up NAME")
	}
	ts.Check(worldOf(ts).up(ts, args[0]))
}

// up waits until the daemon answers on its control socket.
func (w *world) up(ts *testscript.TestScript, name string) error {
	return eventually("answer of "+name, func() error {
		select {
		case <-w.daemons[name].exited:
			return fatal(fmt.Errorf("%s exited: %s", name, ts.ReadFile(name+".log")))
		default:
		}
		return w.client(name).Call(context.Background(), http.MethodGet, protocol.PathInfo, nil, nil)
	})
}

func (w *world) client(daemon string) *control.Client {
	return control.NewClient(statedir.At(w.state).Socket(daemon), "testscript", "test")
}

// fatal marks an error that no waiting will mend.
func fatal(err error) error { return &fatalError{err} }

type fatalError struct{ error }

// eventually tries until it works, for as long as waitBound.
func eventually(what string, try func() error) error {
	deadline := time.Now().Add(waitBound)
	for {
		err := try()
		var f *fatalError
		if err == nil || errors.As(err, &f) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v for %s: %w", waitBound, what, err)
		}
		time.Sleep(lookEvery)
	}
}

// app asks the pool about an app.
func (w *world) app(name string) (protocol.App, error) {
	var a protocol.App
	err := w.client(statedir.Pool).Call(context.Background(), http.MethodGet, protocol.PathApps+"/"+name, nil, &a)
	return a, err
}

// readyPIDs are the processes of the app that are ready, or an error while
// there are not n or more.
func (w *world) readyPIDs(app string, n int) ([]int, error) {
	a, err := w.app(app)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, p := range a.Processes {
		if p.State == protocol.Ready {
			pids = append(pids, p.PID)
		}
	}
	if len(pids) < n {
		return nil, fmt.Errorf("app %s is %s with %d processes ready, want %d; last error: %v", app, a.State, len(pids), n, a.LastError)
	}
	return pids, nil
}

// cmdAwaitReady waits until an app has N (default: 1) ready processes or more,
// and with a third word saves the pid of the first to that variable:
// await-ready APP [N [VAR]]
func cmdAwaitReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 3 {
		ts.Fatalf("usage: await-ready APP [N [VAR]]")
	}
	w, n := worldOf(ts), 1
	if len(args) > 1 {
		var err error
		n, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	ts.Check(eventually("processes of "+args[0], func() error {
		pids, err := w.readyPIDs(args[0], n)
		if err == nil && len(args) == 3 {
			ts.Setenv(args[2], strconv.Itoa(pids[0]))
		}
		return err
	}))
}

// cmdAwaitGone waits until there is no process of the pid, which may stand in
// a file: await-gone PID|FILE
func cmdAwaitGone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await-gone PID|FILE")
	}
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		pid, err = strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	}
	ts.Check(err)
	ts.Check(eventually("the end of process "+args[0], func() error {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return nil
		}
		return errors.New("it runs")
	}))
}

// cmdKillApp sends SIGKILL to every ready process of an app, and returns when
// they have closed their sockets. Until then one may accept another request,
// which the proxy must not send twice.
func cmdKillApp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: kill-app APP")
	}
	pids, err := worldOf(ts).readyPIDs(args[0], 1)
	ts.Check(err)
	for _, pid := range pids {
		ts.Check(syscall.Kill(pid, syscall.SIGKILL))
	}
	for _, pid := range pids {
		ts.Check(awaitEnd(pid))
	}
}

// stopAll ends what the script left running: loads, daemons, and the
// processes of the state directory, each known by its record.
func (w *world) stopAll() {
	for _, l := range w.loads {
		l.stop()
	}
	w.closeSockets()
	// A script may have more state directories beside its own.
	records, _ := filepath.Glob(filepath.Join(w.state+"*", "processes", "*", "record.json"))
	if coverDir != "" {
		w.askToStop()
	}
	for _, d := range w.daemons {
		select {
		case <-d.exited:
		default:
			// The group: the wrapper has children. It may have gone meanwhile.
			_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
			<-d.exited
		}
	}
	var wg sync.WaitGroup
	for _, path := range records {
		wg.Go(func() {
			var r protocol.Process
			if statedir.ReadJSON(path, &r) == nil && r.PID > 1 {
				_ = syscall.Kill(-r.PID, syscall.SIGKILL)
			}
		})
	}
	wg.Wait()
}

// askToStop has the daemons end by themselves, which is when they write what of
// them ran.
func (w *world) askToStop() {
	const patience = 5 * time.Second
	for _, d := range w.daemons {
		_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
	late := time.After(patience)
	for _, d := range w.daemons {
		select {
		case <-d.exited:
		case <-late:
			return
		}
	}
}
