package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// command is a program for the tests: this test binary, run with $CLI_TEST.
type command struct {
	Common
	Plain  Try      `cmd:"" help:"End well or with an error."`
	Take   take     `cmd:"" help:"Take an argument."`
	Signal untilEnd `cmd:"" help:"Wait for the end."`
	Serve  serve    `cmd:"" help:"Be a daemon."`
}

type serve struct {
	Try
	LogFormat
	MaxSize int      `default:"6" help:"A number."`
	Listen  []string `help:"A list."`
	Hook    []string `sep:"none" help:"A list whose values may hold commas."`
	Dir     string   `help:"A text."`
}

func (s *serve) Run(c *command) error {
	if s.Try.Fail != "" {
		return s.Try.Run(c)
	}
	fmt.Printf("%d %q %q %q %v\n", s.MaxSize, s.Listen, s.Hook, s.Dir, c.Verbose)
	return nil
}

type Try struct {
	Fail  string        `help:"Fail with this."`
	Wait  time.Duration `help:"Not used."`
	Times int           `help:"Not used."`
	Share float64       `help:"Not used."`
}

type take struct {
	Thing string `arg:"" help:"What to take."`
}

func (take) Run() error { return nil }

func (p *Try) Run(c *command) error {
	switch p.Fail {
	case "":
		fmt.Println(c.StatePath())
		return nil
	case "plain":
		return errors.New("it rains")
	case "hint":
		return Hint(fmt.Errorf("cannot go: %w", errors.New("it rains")), "take an %s", "umbrella")
	case "status":
		return &Error{Err: errors.New("not ready"), Status: NotReady, Hint: "wait", Body: "  last line\n"}
	case "raw":
		return &Error{Err: errors.New("app said \x1b[2J\rok\u202e"), Hint: "see \u009b5A", Body: "  one\r\n  \x1b]0;two\x07\n"}
	case "wrapped":
		return fmt.Errorf("cannot go: %w", &Error{Err: errors.New("nobody there"), Status: NotThere})
	}
	return errors.New("internal error")
}

type untilEnd struct{}

func (untilEnd) Run(ctx context.Context) error {
	fmt.Println("waiting")
	<-ctx.Done()
	fmt.Println("cause:", context.Cause(ctx))
	if os.Getenv("CLI_TEST") == "drains" {
		_, err := io.Copy(io.Discard, os.Stdin) // until the test closes it
		return err
	}
	time.Sleep(time.Minute) // a second signal ends it
	return nil
}

func TestMain(m *testing.M) {
	if os.Getenv("CLI_TEST") == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("CLI_TEST") == "background" {
		signal.Ignore(syscall.SIGINT)
	}
	Main("passenger-test", "Tests.", &command{})
}

// program is the command to run with the given arguments, no state directory
// in its environment.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PASSENGER_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "CLI_TEST=1")
	return cmd
}

func TestStatusAndMessages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		args           []string
		env            string
		status         int
		stdout, stderr string // beginnings
	}{
		{name: "done", args: []string{"plain", "--state-dir=/x"}, stdout: "/x\n"},
		{name: "by the environment", args: []string{"plain"}, env: "PASSENGER_STATE_DIR=/y", stdout: "/y\n"},
		{name: "a flag over the environment", args: []string{"plain", "--state-dir=/x"}, env: "PASSENGER_STATE_DIR=/y", stdout: "/x\n"},
		{name: "failed", args: []string{"plain", "--fail=plain"}, status: Failed, stderr: "passenger-test: error: it rains\n"},
		{name: "with a hint", args: []string{"plain", "--fail=hint"}, status: Failed,
			stderr: "passenger-test: error: cannot go: it rains\npassenger-test: hint: take an umbrella\n"},
		{name: "with a status", args: []string{"plain", "--fail=status"}, status: NotReady,
			stderr: "passenger-test: error: not ready\npassenger-test: hint: wait\n  last line\n"},
		{name: "with raw words of an app", args: []string{"plain", "--fail=raw"}, status: Failed,
			stderr: `passenger-test: error: app said \x1b[2J\rok\u202e` + "\n" + `passenger-test: hint: see \u009b5A` + "\n" + `  one\r` + "\n" + `  \x1b]0;two\x07` + "\n"},
		{name: "wrapped", args: []string{"plain", "--fail=wrapped"}, status: NotThere, stderr: "passenger-test: error: cannot go: nobody there\n"},
		{name: "an unknown flag", args: []string{"plain", "--colour"}, status: Usage, stderr: "passenger-test: error: unknown flag --colour"},
		{name: "an unknown command", args: []string{"nonsense"}, status: Usage, stderr: `passenger-test: error: unknown command "nonsense"`},
		{name: "a misspelt command", args: []string{"plan"}, status: Usage, stderr: `passenger-test: error: unknown command "plan"; did you mean "plain"?`},
		{name: "a misspelt flag", args: []string{"plain", "--fial=x"}, status: Usage, stderr: `passenger-test: error: unknown flag --fial; did you mean "--fail"?`},
		{name: "a flag of another command", args: []string{"take", "--fail=x"}, status: Usage, stderr: `passenger-test: error: unknown flag --fail, which is of "passenger-test plain, serve"` + "\n"},
		{name: "a flag before its command", args: []string{"--fail=x", "plain"}, status: Usage, stderr: `passenger-test: error: unknown flag --fail, which is of "passenger-test plain, serve"` + "\n"},
		{name: "a flag of others", args: []string{"plain", "--daemonize"}, status: Usage, stderr: "passenger-test: error: unknown flag --daemonize: run it under an init system"},
		{name: "help of a command", args: []string{"help", "plain"}, stdout: "Usage: passenger-test plain"},
		{name: "help of none", args: []string{"help"}, stdout: "Usage: passenger-test <command>"},
		{name: "help of an unknown command", args: []string{"help", "plan"}, status: Usage, stderr: `passenger-test: error: unknown command "plan"; did you mean "plain"?`},
		{name: "a duration without unit", args: []string{"plain", "--wait=5"}, status: Usage, stderr: `passenger-test: error: --wait: takes a duration such as 500ms, 5s or 1m30s, not "5"`},
		{name: "a number in words", args: []string{"plain", "--times=two"}, status: Usage, stderr: `passenger-test: error: --times: takes a whole number, not "two"`},
		{name: "a share in words", args: []string{"plain", "--share=half"}, status: Usage, stderr: `passenger-test: error: --share: takes a number, not "half"` + "\n"},
		{name: "no argument", args: []string{"take"}, status: Usage, stderr: "passenger-test: error: an argument is missing: <thing>"},
		{name: "a flag without its value", args: []string{"plain", "--state-dir"}, status: Usage, stderr: "passenger-test: error: --state-dir needs a value\n"},
		{name: "a duration without its value", args: []string{"plain", "--wait"}, status: Usage, stderr: "passenger-test: error: --wait needs a value\n"},
		{name: "another flag of one letter", args: []string{"plain", "-x"}, status: Usage, stderr: "passenger-test: error: unknown flag -x\n"},
		{name: "a negative number", args: []string{"take", "-3"}, status: Usage, stderr: "passenger-test: error: -3 is no argument here; a number is 0 or more\n"},
		{name: "no command", status: Usage, stderr: "passenger-test: error: expected one of"},
		{name: "an empty variable", args: []string{"plain"}, env: "PASSENGER_STATE_DIR=", status: Usage,
			stderr: "passenger-test: error: $PASSENGER_STATE_DIR is set but empty"},
		{name: "an empty flag", args: []string{"plain", "--state-dir="}, status: Usage,
			stderr: "passenger-test: error: --state-dir is empty"},
		{name: "help", args: []string{"--help"}, stdout: "Usage: passenger-test <command>"},
		{name: "version", args: []string{"--version"}, stdout: "passenger-test " + Release + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := program(t, tt.args...)
			if tt.env != "" {
				cmd.Env = append(cmd.Env, tt.env)
			}
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != tt.status {
				t.Errorf("status: got %d, want %d", got, tt.status)
			}
			for _, out := range []struct{ name, got, want string }{{"stdout", stdout.String(), tt.stdout}, {"stderr", stderr.String(), tt.stderr}} {
				if !strings.HasPrefix(out.got, out.want) || (out.want == "") != (out.got == "") {
					t.Errorf("%s: got %q, want it to begin with %q", out.name, out.got, out.want)
				}
			}
			if tt.status == Usage && !strings.HasSuffix(stderr.String(), "passenger-test: hint: run \"passenger-test --help\"\n") {
				t.Errorf("stderr: got %q, want a hint at its end", stderr.String())
			}
		})
	}
}

// An error that ends a program whose log is JSON is a line of it.
func TestErrorsAreOfTheFormatOfTheLog(t *testing.T) {
	t.Parallel()
	usage := func(message string) map[string]any {
		return map[string]any{"message": message, "process.exit_code": 2.0, "passenger.hint": `run "passenger-test --help"`}
	}
	for _, tt := range []struct {
		args string
		env  string
		want map[string]any // nil for a text
	}{
		{"serve --log-format=json --fail=hint", "", map[string]any{"message": "cannot go: it rains", "process.exit_code": 1.0, "passenger.hint": "take an umbrella"}},
		{"serve --log-format=json --fail=raw", "", map[string]any{"message": `app said \x1b[2J\rok\u202e`, "process.exit_code": 1.0,
			"passenger.hint": `see \u009b5A`, "passenger.output": "  one\\r\n  \\x1b]0;two\\x07\n"}},
		{"serve --fial --log-format json", "", usage(`unknown flag --fial; did you mean "--fail"?`)},
		{"serve --log-format=json --wait=5", "", usage(`--wait: takes a duration such as 500ms, 5s or 1m30s, not "5"`)},
		{"serve --fial", "json", usage(`unknown flag --fial; did you mean "--fail"?`)},
		{"serve --fial --log-format=text", "json", nil},
		{"serve --log-format=jsn", "", nil},
		{"serve --fial -- --log-format=json", "", nil},
		{"plain --fial", "json", nil},
	} {
		cmd := program(t, strings.Fields(tt.args)...)
		cmd.Env = append(cmd.Env, "PASSENGER_TEST_LOG_FORMAT="+cmp.Or(tt.env, "text"))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		_ = cmd.Run() // the status is among the facts
		if tt.want == nil {
			if !strings.HasPrefix(stderr.String(), "passenger-test: error: ") {
				t.Errorf("%s: got %q, want a text", tt.args, &stderr)
			}
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(stderr.Bytes(), &got); err != nil {
			t.Errorf("%s: %v in %q", tt.args, err, &stderr)
			continue
		}
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(got["@timestamp"])); err != nil || got["log.level"] != "error" || got["service.name"] != "passenger-test" {
			t.Errorf("%s: %v in %q", tt.args, err, &stderr)
		}
		for _, common := range []string{"@timestamp", "log.level", "service.name", "ecs.version", "event.dataset"} {
			delete(got, common)
		}
		if diff := gocmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.args, diff)
		}
	}
}

func TestTextLogShowsControlCharacters(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	log := slog.New(Handler(&b, "text", "passenger-test", slog.LevelInfo))
	log.Warn("preloader", "app", "shop", "warning", "slow\rtime=2026 level=INFO\n\x1b[2J\u009b1A\u202e\u2066\xff")
	_, got, _ := strings.Cut(b.String(), "level=")
	if want := `WARN msg=preloader app=shop warning="slow\rtime=2026 level=INFO\n\x1b[2J\u009b1A\u202e\u2066\xff"` + "\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// waiting starts the command that waits for its end.
func waiting(t *testing.T, mode string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := program(t, "signal")
	cmd.Env = append(cmd.Env, "CLI_TEST="+mode)
	return cmd, begin(t, cmd)
}

// begin starts cmd and returns what it prints once it waits.
func begin(t *testing.T, cmd *exec.Cmd) *bufio.Scanner {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have gone
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || lines.Text() != "waiting" {
		t.Fatalf("got %q, want waiting", lines.Text())
	}
	return lines
}

func TestSignalIsTheCauseAndTheSecondOneKills(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd, lines := waiting(t, "1")
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if want := "cause: " + sig.String() + " signal received"; !lines.Scan() || lines.Text() != want {
			t.Errorf("got %q, want %q", lines.Text(), want)
		}
		// The program takes its handler back at about the same time as it
		// prints the cause, so the signal may need repeating.
		gone := make(chan struct{})
		go func() {
			_ = cmd.Wait() // the state tells
			close(gone)
		}()
		for tick, bound := time.NewTicker(10*time.Millisecond), time.After(time.Minute); ; {
			select {
			case <-tick.C:
				_ = cmd.Process.Signal(sig) // it may have gone
				continue
			case <-bound:
				t.Fatal("a second signal does not end it")
			case <-gone:
			}
			break
		}
		if got := cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); got != sig {
			t.Errorf("got the end %v, want signal %v", cmd.ProcessState, sig)
		}
	}
}

// timeout(1) sends its signal twice.
func TestASecondSignalAtOnceMeansTheSame(t *testing.T) {
	t.Parallel()
	cmd := program(t, "signal")
	cmd.Env = append(cmd.Env, "CLI_TEST=drains")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	lines := begin(t, cmd)
	for range 3 {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "cause: ") {
		t.Errorf("got %q", lines.Text())
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestIgnoredInterruptStaysIgnored(t *testing.T) {
	t.Parallel()
	cmd, lines := waiting(t, "background")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	if want := "cause: terminated signal received"; !lines.Scan() || lines.Text() != want {
		t.Errorf("got %q, want %q", lines.Text(), want)
	}
}

func TestTakeStateDirNamesTheHolder(t *testing.T) {
	t.Parallel()
	base, err := os.MkdirTemp("", "cli") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	c := Common{StateDir: filepath.Join(base, "s")}
	_, lock, err := c.TakeStateDir("pool")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	_, _, err = c.TakeStateDir("pool")
	var e *Error
	if !errors.As(err, &e) || e.Hint == "" || !strings.Contains(err.Error(), "pid "+strconv.Itoa(os.Getpid())) {
		t.Errorf("got %v, want an error with a hint that names pid %d", err, os.Getpid())
	}
	if _, other, err := c.TakeStateDir("proxy"); err != nil {
		t.Errorf("another daemon: %v", err)
	} else {
		other.Unlock()
	}
	if err := os.WriteFile(filepath.Join(base, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.StateDir = filepath.Join(base, "f")
	if _, _, err := c.TakeStateDir("pool"); !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "cannot start: state directory ") {
		t.Errorf("got %v, want a refusal with a hint", err)
	}
}

// TestVariables sets flags of a daemon by variables.
func TestVariables(t *testing.T) {
	all := []string{"PASSENGER_TEST_MAX_SIZE=9", "PASSENGER_TEST_LISTEN= :1, :2,", "PASSENGER_TEST_HOOK=a=b,c\n\n d=e\n",
		"PASSENGER_TEST_DIR=/d", "PASSENGER_TEST_VERBOSE=true"}
	for _, c := range []struct {
		name   string
		args   []string
		env    []string
		status int
		stdout string
		stderr string
	}{
		{name: "none", args: []string{"serve"}, stdout: `6 [] [] "" false`},
		{name: "all", args: []string{"serve"}, env: all, stdout: `9 [":1" ":2"] ["a=b,c" "d=e"] "/d" true`},
		{name: "flags win", args: []string{"serve", "--max-size=1", "--listen=:3", "--hook=f=g", "--dir=/e"}, env: all,
			stdout: `1 [":3"] ["f=g"] "/e" true`},
		{name: "not a number", args: []string{"serve"}, env: []string{"PASSENGER_TEST_MAX_SIZE=many"}, status: Usage,
			stderr: `--max-size: takes a whole number, not "many" (from the environment variable $PASSENGER_TEST_MAX_SIZE)`},
		{name: "empty", args: []string{"serve"}, env: []string{"PASSENGER_TEST_LISTEN="}, status: Usage,
			stderr: "$PASSENGER_TEST_LISTEN is set but empty; unset it or give it a value"},
		{name: "empty beside a state directory", args: []string{"--state-dir", "serve", "serve"}, env: []string{"PASSENGER_TEST_LISTEN="}, status: Usage,
			stderr: "$PASSENGER_TEST_LISTEN is set but empty"},
		{name: "a client has none", args: []string{"take", "it"},
			env: []string{"PASSENGER_TEST_MAX_SIZE=many", "PASSENGER_TEST_LISTEN=", "PASSENGER_TEST_VERBOSE=perhaps"}},
		{name: "the help names them", args: []string{"serve", "--help"}, stdout: "($PASSENGER_TEST_MAX_SIZE)"},
		{name: "the help names lists", args: []string{"serve", "--help"}, stdout: "($PASSENGER_TEST_LISTEN)"},
		{name: "the help names lines", args: []string{"serve", "--help"}, stdout: "($PASSENGER_TEST_HOOK, one a line)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := program(t, c.args...)
			cmd.Env = append(cmd.Env, c.env...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			if status := cmd.ProcessState.ExitCode(); status != c.status {
				t.Errorf("status %d, want %d: %v\n%s", status, c.status, err, stderr.String())
			}
			folded := strings.Join(strings.Fields(stdout.String()), " ")
			if !strings.Contains(folded, c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("stdout %q, stderr %q; want %q and %q", stdout.String(), stderr.String(), c.stdout, c.stderr)
			}
		})
	}
}
