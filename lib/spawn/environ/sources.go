package environ

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/app"
)

// EnvSources are what a process adds to the environment that the spawner gives
// it. The process reads them itself, as the app's user, so that the app never
// gets to see through us what that user may not read.
type Sources struct {
	// LoginShell is the shell whose exports are taken over, empty for none.
	LoginShell string `json:"login_shell,omitempty"`

	// Files hold NAME=VALUE lines, relative to the process's directory. A later
	// one wins, and all win over the shell.
	Files []string `json:"files,omitempty"`

	// Kept are the names that the shell does not change: those that follow from
	// the app's settings and from who runs it.
	Kept []string `json:"kept,omitempty"`

	// Fixed are the names that neither changes: those that the app's settings
	// set, and those of the process contract.
	Fixed []string `json:"fixed,omitempty"`
}

// Added is what a process has added to its environment.
type Added struct {
	Env       map[string]string `json:"env,omitempty"`
	FromFiles []string          `json:"from_files,omitempty"` // the names of Env that env_files set
}

// shellTimeout is how long a login shell may take to say what it exports.
const shellTimeout = 20 * time.Second

// maxExports is how many bytes of a login shell's exports are read.
const maxExports = 1 << 20

// shells are those that know -l and -c and descriptors by number.
var shells = []string{"sh", "bash", "dash", "zsh", "ksh", "mksh"}

// unshared are variables that belong to the shell that sets them.
var unshared = []string{"_", "SHLVL", "PWD", "OLDPWD"}

// A SourceError says why a source of the environment cannot be used.
type SourceError struct{ err error }

func (e *SourceError) Error() string { return e.err.Error() }
func (e *SourceError) Unwrap() error { return e.err }

// Read returns what the sources add or change. dir is the process's directory.
// The error is a *[SourceError].
func (e Sources) Read(dir string) (Added, error) {
	env := map[string]string{}
	if e.LoginShell != "" {
		exports, err := askShell(e.LoginShell)
		if err != nil {
			return Added{}, &SourceError{fmt.Errorf("load_shell_envvars: %w", err)}
		}
		maps.Copy(env, exports)
	}
	for _, name := range e.Kept {
		delete(env, name)
	}
	fromFiles := map[string]bool{}
	for _, path := range e.Files {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		lines, err := app.ReadEnvFile(path)
		if err != nil {
			return Added{}, &SourceError{fmt.Errorf("env_files: %w", err)}
		}
		for _, kv := range lines {
			name, value, _ := strings.Cut(kv, "=")
			env[name], fromFiles[name] = value, true
		}
	}
	for _, name := range e.Fixed {
		delete(env, name)
		delete(fromFiles, name)
	}
	return Added{Env: env, FromFiles: slices.Sorted(maps.Keys(fromFiles))}, nil
}

// askShell returns what the login shell exports beyond its own.
func askShell(shell string) (map[string]string, error) {
	if !slices.Contains(shells, filepath.Base(shell)) {
		return nil, fmt.Errorf("login shell %q is none of %s; give the user another with chsh(1), or use env_files", shell, strings.Join(shells, ", "))
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), shellTimeout)
	defer cancel()
	// Not by its standard output: profiles write anything there.
	cmd := exec.CommandContext(ctx, shell, "-lc", "exec env -0 >&3")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.ExtraFiles = []*os.File{w}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return nil, err
	}
	said := make(chan []byte, 1) // one send
	go func() {
		out, _ := io.ReadAll(io.LimitReader(r, maxExports)) // up to the deadline
		said <- out
	}()
	err = cmd.Wait()
	// A program that a profile left running may hold the pipe open. All that the
	// shell said is in the pipe by now.
	_ = r.SetReadDeadline(time.Unix(1, 0)) // a pipe has deadlines
	out := rest(r, <-said)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("login shell %q did not end within %v", shell, shellTimeout)
	}
	if err != nil {
		return nil, fmt.Errorf("login shell %q: %w", shell, err)
	}
	exports := map[string]string{}
	for kv := range bytes.SplitSeq(out, []byte{0}) {
		name, value, ok := strings.Cut(string(kv), "=")
		if ok && !slices.Contains(unshared, name) {
			exports[name] = value
		}
	}
	return exports, nil
}

// rest appends to out what waits in the pipe, whose deadline is over.
func rest(r *os.File, out []byte) []byte {
	raw, err := r.SyscallConn()
	if err != nil {
		return out // it is closed
	}
	buf := make([]byte, 64<<10)
	_ = raw.Control(func(fd uintptr) { // an error says that it is closed
		for len(out) < maxExports {
			n, err := unix.Read(int(fd), buf)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if n <= 0 {
				return // nothing waits, or it has ended
			}
			out = append(out, buf[:n]...)
		}
	})
	return out
}

// Merge returns env with the variables added, which win.
func (e Sources) Merge(env []string, added map[string]string) []string {
	merged := make([]string, 0, len(env)+len(added))
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if _, ok := added[name]; !ok {
			merged = append(merged, kv)
		}
	}
	return append(merged, List(added)...)
}
