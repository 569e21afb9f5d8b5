package testscripts

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// cmdCrash kills daemons with SIGKILL, several times, while clients GET a path
// from the proxy at an address. It starts again those that the script started;
// the others have a keeper. It fails if a
// connection was refused, if more requests were cut off than there are clients
// at each kill, or if descriptors were left open. It tells how soon after a kill
// a new client had its answer. As a daemon, "processes" are those of all apps:
// crash TIMES ADDRESS PATH DAEMON…
func cmdCrash(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: crash TIMES ADDRESS PATH DAEMON…")
	}
	times, err := strconv.Atoi(args[0])
	ts.Check(err)
	w, to := worldOf(ts), address(args[1])
	c := begin(args[2], to)
	defer c.end()
	before := w.openFiles()
	var took []time.Duration
	for range times {
		d, err := c.kill(ts, w, to, args[3:])
		ts.Check(err)
		took = append(took, d)
		ts.Check(c.more(20))
	}
	c.end()
	slices.Sort(took)
	ts.Logf("%d kills of %v: %d answers, %d cut, %d refused; next answer after %v (median), %v (most)", times, args[3:],
		c.good.Load(), c.cut.Load(), len(c.refused), took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	if n := len(c.refused) + len(c.strange); n > 0 || c.cut.Load() > int64(times*crowdSize) {
		ts.Fatalf("refused: %v\nstrange: %v\ncut: %d", c.refused, c.strange, c.cut.Load())
	}
	if slices.Contains(args[3:], statedir.Spawn) {
		return // the next spawner has adopted some processes and started others, each with descriptors of its own
	}
	ts.Check(eventually("the descriptors of before", func() error {
		if now := w.openFiles(); now > before+mostIdle {
			return fmt.Errorf("%d are open, %d were before", now, before)
		}
		return nil
	}))
}

// cmdReplace starts one proxy after the other, each of which takes over from the
// one before, while clients GET a path from them at an address. It fails if
// any request failed, or a proxy did not drain and exit with status 0:
// replace TIMES ADDRESS PATH
func cmdReplace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: replace TIMES PATH ADDRESS…")
	}
	times, err := strconv.Atoi(args[0])
	ts.Check(err)
	var addresses []address
	for _, text := range args[2:] {
		addresses = append(addresses, address(text))
	}
	w, c := worldOf(ts), begin(args[1], addresses...)
	defer c.end()
	ts.Check(c.more(crowdSize))
	before, began := w.openFiles(), time.Now()
	var old []*daemon
	for i := range times {
		d := w.daemons[statedir.Proxy]
		old = append(old, d)
		w.daemons[fmt.Sprintf("replaced %d", i)] = d // so that it ends with the script
		ts.Check(w.start(ts, statedir.Proxy, d.cmd.Args))
		pid := w.daemons[statedir.Proxy].cmd.Process.Pid
		ts.Check(eventually("the new proxy", func() error {
			if now := statedir.At(w.state).Holder(statedir.Proxy); now != pid {
				return fmt.Errorf("proxy %d runs", now)
			}
			return w.up(ts, statedir.Proxy)
		}))
		ts.Check(c.more(crowdSize))
	}
	took := time.Since(began)
	for _, d := range old {
		ts.Check(d.await())
		if status := d.cmd.ProcessState.ExitCode(); status != 0 {
			ts.Fatalf("proxy %d exited with status %d", d.cmd.Process.Pid, status)
		}
	}
	c.end()
	ts.Logf("%d proxies in %v: %d answers, %d cut, %d refused", times, took.Round(time.Millisecond), c.good.Load(), c.cut.Load(), len(c.refused))
	if len(c.refused)+len(c.strange) > 0 || c.cut.Load() > 0 {
		ts.Fatalf("refused: %v\nstrange: %v\ncut: %d", c.refused, c.strange, c.cut.Load())
	}
	ts.Check(eventually("the descriptors of before", func() error {
		if now := w.openFiles(); now > before+mostIdle {
			return fmt.Errorf("%d are open, %d were before", now, before)
		}
		return nil
	}))
}

// openFiles counts what spawner and proxy have open.
func (w *world) openFiles() int {
	dir := statedir.At(w.state)
	return descriptors(dir.Holder(statedir.Spawn)) + descriptors(dir.Holder(statedir.Proxy))
}

// kill kills the daemons at once and returns how long a client that comes then
// waits for its answer.
func (c *crowd) kill(ts *testscript.TestScript, w *world, to address, daemons []string) (time.Duration, error) {
	dir := statedir.At(w.state)
	var pids []int
	var apps []int
	daemons = slices.DeleteFunc(slices.Clone(daemons), func(name string) bool {
		if name != "processes" {
			return false
		}
		apps = w.processes()
		return true
	})
	for _, name := range daemons {
		pid := dir.Holder(name)
		if pid <= 1 {
			return 0, fmt.Errorf("no %s runs", name)
		}
		pids = append(pids, pid)
	}
	began := time.Now()
	for _, pid := range slices.Concat(pids, apps) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return 0, err
		}
	}
	for i, name := range daemons {
		if d := w.daemons[name]; d == nil {
			if err := awaitEnd(pids[i]); err != nil {
				return 0, err
			}
		} else if err := errors.Join(d.await(), w.start(ts, name, d.cmd.Args)); err != nil {
			return 0, err
		}
	}
	err := to.get(c.path, nil)
	took := time.Since(began)
	if err != nil {
		return took, fmt.Errorf("a client that came after the kill: %w", err)
	}
	return took, eventually("new daemons", func() error {
		for i, name := range daemons {
			if pid := dir.Holder(name); pid <= 1 || pid == pids[i] {
				return fmt.Errorf("no new %s runs", name)
			}
		}
		return nil
	})
}

// processes are the pids of the apps' processes.
func (w *world) processes() []int {
	var pids []int
	records, _ := filepath.Glob(filepath.Join(w.state, "processes", "*", "record.json"))
	for _, path := range records {
		var r protocol.Process
		if statedir.ReadJSON(path, &r) == nil && r.PID > 1 && r.State == protocol.Ready {
			pids = append(pids, r.PID)
		}
	}
	return pids
}

// awaitEnd returns when a process that was killed has closed what it had open. It
// looks often: what comes a moment later is what its callers test.
func awaitEnd(pid int) error {
	for end := time.Now().Add(waitBound); descriptors(pid) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("process %d has not ended after %v", pid, waitBound)
		}
	}
	return nil
}
