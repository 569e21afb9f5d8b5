package spawn

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"passenger/lib/output"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn/environ"
	"passenger/lib/spawn/gate"
	"passenger/lib/spawn/notify"
	"passenger/lib/statedir"
)

// The test binary is run again as the helper that passes the gate, as an app
// (roleVariable says which), and as a spawner that is to be killed.
const (
	roleVariable    = "SPAWN_TEST_ROLE"
	spawnerVariable = "SPAWN_TEST_SPAWNER"
	initVariable    = "SPAWN_TEST_INIT" // the parent of a spawner, and of what it leaves
)

// hangs is the name of an app whose directory nobody can look at.
const hangs = "hangs"

func TestMain(m *testing.M) {
	switch {
	case gate.Reached(os.Args):
		if isToHang() {
			select {} // as an open on a dead file server
		}
		fmt.Fprintln(os.Stderr, gate.Pass(os.Args))
		os.Exit(1)
	case os.Getenv(initVariable) != "":
		beInit(os.Getenv(initVariable), os.Args[1])
		return
	case os.Getenv(spawnerVariable) != "":
		beSpawner(os.Getenv(spawnerVariable), os.Args[1])
	case os.Getenv(roleVariable) != "":
		beApp(os.Getenv(roleVariable))
	}
	if err := proc.BecomeSubreaper(); err != nil { // as the commands do
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// isToHang peeks at the order of a process at its gate: whether it is to look
// at the directory of the app that hangs.
func isToHang() bool {
	buf := make([]byte, 4<<10)
	n, _, err := syscall.Recvfrom(gate.FD, buf, syscall.MSG_PEEK)
	return err == nil && bytes.Contains(buf[:n], []byte(`"config":{"name":"`+hangs+`"`))
}

// A world is what an app of these tests says of itself to who connects.
type world struct {
	PID, Group, Parent int
	Env                map[string]string
	Dir                string
	Descriptors        map[string]string // number to what it is of
	Ignored            string            // SigIgn of proc(5)
}

func look() world {
	w := world{PID: os.Getpid(), Group: syscall.Getpgrp(), Parent: os.Getppid(), Env: map[string]string{}, Descriptors: map[string]string{}}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if _, ok := w.Env[name]; ok {
			value += " AND ANOTHER"
		}
		w.Env[name] = value
	}
	w.Dir, _ = os.Readlink("/proc/self/cwd") // os.Getwd would say what PWD says
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		what, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		w.Descriptors[fd.Name()] = what
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "SigIgn:"); ok {
			w.Ignored = strings.TrimSpace(v)
		}
	}
	return w
}

// notifyByFD writes to the inherited notify socket.
func notifyByFD(message string) {
	if _, err := syscall.Write(environ.NotifyFD, []byte(message)); err != nil {
		fmt.Println("notify:", err)
	}
}

// notifyByName sends as sd_notify(3) does.
func notifyByName(name, message string) error {
	c, err := net.Dial("unixgram", name)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(message))
	return err
}

func inherited3() net.Listener {
	l, err := net.FileListener(os.NewFile(environ.ListenFD, "listener"))
	if err != nil {
		fmt.Println("listen:", err)
		os.Exit(9)
	}
	return l
}

// beApp is an app. It must not return.
func beApp(role string) {
	w := look()
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	fmt.Println("role", role)
	role, argument, _ := strings.Cut(role, " ")
	serve := func(l net.Listener) {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = json.NewEncoder(c).Encode(w) // a probe is gone already
				c.Close()
			}
		}()
	}
	onPort := func(port string) {
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			fmt.Println(err)
			os.Exit(9)
		}
		serve(l)
	}
	switch role {
	case "ready":
		serve(inherited3())
		notifyByFD("STATUS=fine\nREADY=1")
	case "ready-when":
		serve(inherited3())
		if _, err := os.ReadFile(argument); err != nil { // a FIFO: until somebody wrote
			fmt.Println(err)
		}
		notifyByFD("READY=1")
	case "ready-by-name":
		serve(inherited3())
		if err := notifyByName(os.Getenv("NOTIFY_SOCKET"), "READY=1"); err != nil {
			fmt.Println(err)
		}
	case "accept":
		serve(inherited3())
	case "port":
		onPort(os.Getenv("PORT"))
	case "port-when": // ARGUMENT.out is told the port, ARGUMENT.in says to go on
		if err := os.WriteFile(argument+".out", []byte(os.Getenv("PORT")), 0o600); err != nil {
			fmt.Println(err)
		}
		if _, err := os.ReadFile(argument + ".in"); err != nil { // both are FIFOs
			fmt.Println(err)
		}
		onPort(os.Getenv("PORT"))
	case "other-port":
		onPort("0")
	case "port-ready":
		onPort(os.Getenv("PORT"))
		notifyByFD("READY=1")
	case "silent":
	case "failing":
		notifyByFD(notify.ErrorKey + argument)
		fmt.Fprintln(os.Stderr, "  backtrace")
		os.Exit(1)
	case "failing-on": // a thread keeps it
		notifyByFD(notify.ErrorKey + argument)
	case "exit":
		fmt.Println("last words")
		var status int
		fmt.Sscan(argument, &status)
		os.Exit(status)
	case "crash": // at a signal
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGUSR1)
		serve(inherited3())
		notifyByFD("READY=1")
		<-told
		fmt.Println("Error: no licence for", os.Getenv("API_TOKEN"))
		os.Exit(3)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "background":
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), roleVariable+"=silent")
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: argument == "setsid"}
		if err := c.Start(); err != nil {
			fmt.Println(err)
		}
		os.Exit(0)
	case "sessions": // of descendants, one of which remembers nothing of us
		for _, forgets := range []bool{false, true} {
			c := exec.Command("sh", "-c", "sleep 600 & exec sleep 600")
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if forgets {
				c.Env = []string{"PATH=" + os.Getenv("PATH")}
			} else {
				c.Stdout, c.Stderr = os.Stdout, os.Stderr
			}
			if err := c.Start(); err != nil {
				fmt.Println(err)
			}
		}
		serve(inherited3())
		notifyByFD("READY=1")
	case "daemonizes": // what it starts has a session of another, which has ended
		c := exec.Command("sh", "-c", "sleep 600 &")
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := c.Run(); err != nil {
			fmt.Println(err)
		}
		serve(inherited3())
		notifyByFD("READY=1")
	case "stubborn":
		c := exec.Command("sleep", "600") // a grandchild in the group
		if err := c.Start(); err != nil {
			fmt.Println(err)
		}
		fmt.Println("grandchild", c.Process.Pid)
		serve(inherited3())
		notifyByFD("READY=1")
		for {
			<-term
			fmt.Println("I will not")
		}
	case "chatty":
		serve(inherited3())
		notifyByFD("READY=1")
		for i := 0; ; i++ {
			fmt.Println("line", i)
			select {
			case <-term:
				os.Exit(0)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	<-term
	fmt.Print("bye, without a newline")
	os.Exit(0)
}

// beSpawner starts one app with the given role, prints its record, and waits
// to be killed.
// beInit runs a spawner and kills it when told so, with a line in and another
// out, and reaps what falls to it until its input ends.
func beInit(dir, role string) {
	if err := proc.BecomeSubreaper(); err != nil {
		panic(err)
	}
	c := exec.Command(os.Args[0], role)
	c.Env = append(os.Environ(), spawnerVariable+"="+dir, initVariable+"=")
	c.Stdout = os.Stdout
	if err := c.Start(); err != nil {
		panic(err)
	}
	go proc.ReapStrangers(context.Background(), func(pid int) bool { return pid == c.Process.Pid })
	told := bufio.NewReader(os.Stdin)
	_, _ = told.ReadBytes('\n')
	_ = c.Process.Kill() // it may have done so itself
	_ = c.Wait()
	fmt.Println("killed")
	_, _ = told.ReadBytes('\n')
}

func beSpawner(dir, role string) {
	d, err := statedir.Open(dir)
	if err != nil {
		panic(err)
	}
	if role == "die-in-between" {
		testOnlyForked = func(pid int) {
			fmt.Println(pid)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		role = "ready"
	}
	wrote := lines{make(chan string, 64)}
	s, err := New(d, Options{Log: output.NewLog(wrote, output.Text)})
	if err != nil {
		panic(err)
	}
	if role == "silent" {
		go func() {
			<-wrote.ch // it is through its gate
			_ = json.NewEncoder(os.Stdout).Encode(s.Processes().Get().Processes[0])
		}()
	}
	config := appConfig(role)
	r, err := s.Spawn(context.Background(), protocol.SpawnRequest{ID: "made", App: "app", Generation: 3, Config: &config})
	if err != nil {
		panic(err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(r)
	select {}
}

// appConfig is a generic app that plays a role.
func appConfig(role string) protocol.AppConfig {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return protocol.AppConfig{
		Name: "app", AppRoot: os.TempDir(), StartCommand: "'" + exe + "'",
		EnvVars: map[string]string{roleVariable: role}, StartTimeout: 120, StopGrace: 60,
	}
}

// lines collects what processes write.
type lines struct{ ch chan string }

func (l lines) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		select {
		case l.ch <- line:
		default:
		}
	}
	return len(b), nil
}

// await returns the next line that holds text.
func (l lines) await(t *testing.T, text string) string {
	t.Helper()
	for {
		select {
		case line := <-l.ch:
			if strings.Contains(line, text) {
				return line
			}
		case <-time.After(time.Minute):
			t.Fatalf("no line with %q within a minute", text)
		}
	}
}

// shortDir makes a state directory with a path short enough for sockets.
func shortDir(t testing.TB) statedir.Dir {
	t.Helper()
	path, err := os.MkdirTemp("", "sp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	d, err := statedir.Open(filepath.Join(path, "s"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newSpawner makes a spawner whose processes end with the test.
func newSpawner(t *testing.T, dir statedir.Dir) (*Spawner, lines) {
	t.Helper()
	out := lines{make(chan string, 4096)}
	s, err := New(dir, Options{Log: output.NewLog(out, output.Text)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		for _, p := range s.Processes().Get().Processes {
			if p.State != protocol.Exited {
				s.find(p.ID).Kill("end of the test")
			}
		}
	})
	return s, out
}

func request(id string, config protocol.AppConfig) protocol.SpawnRequest {
	return protocol.SpawnRequest{ID: id, App: "app", Generation: 1, Config: &config}
}

// mustSpawn starts an app with the role.
func mustSpawn(t *testing.T, s *Spawner, id, role string) protocol.Process {
	t.Helper()
	r, err := s.Spawn(t.Context(), request(id, appConfig(role)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// awaitState returns the record of a process once it is in the state.
func awaitState(t *testing.T, s *Spawner, id string, state protocol.State) protocol.Process {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		list, changed := s.Processes().Wait()
		i := slices.IndexFunc(list.Processes, func(p protocol.Process) bool { return p.ID == id })
		if i >= 0 && list.Processes[i].State == state {
			return list.Processes[i]
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("process %s is not %s within a minute; there are %+v", id, state, list.Processes)
		}
	}
}

// ask connects to a process of these tests.
func ask(t *testing.T, r protocol.Process) world {
	t.Helper()
	network, address, _ := strings.Cut(r.Address, ":")
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var w world
	if err := json.NewDecoder(c).Decode(&w); err != nil {
		t.Fatal(err)
	}
	return w
}

// awaitGone waits until a process that is not ours to reap has ended.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	id, err := proc.IdentityOf(pid)
	if err != nil {
		return
	}
	h, err := proc.Open(id)
	if err != nil {
		return
	}
	gone := make(chan error, 1)
	go func() { gone <- h.Wait() }()
	select {
	case <-gone:
		h.Close()
	case <-time.After(time.Minute):
		t.Fatalf("process %d still runs after a minute", pid)
	}
}

// countChildren is how many processes the spawner waits for.
func countChildren(s *Spawner) (n int) {
	for _, pid := range proc.Children() {
		if s.Ours(pid) {
			n++
		}
	}
	return n
}
