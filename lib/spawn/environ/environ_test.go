package environ

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"passenger/lib/account"
	"passenger/lib/protocol"
)

func TestEnvironmentOrder(t *testing.T) {
	t.Setenv("LC_TEST", "de")
	t.Setenv("UNRELATED", "x")
	t.Setenv("TMPDIR", "/var/tmp")
	env := New(protocol.AppConfig{
		Environment: "test", BaseURI: "/shop", EnvVars: map[string]string{"NODE_ENV": "mine", "TMPDIR": "/own"},
	}, "/srv/shop", []string{"PYTHONPATH=/adapters", "NODE_ENV=adapter", "WSGI_ENV"}, account.User{Name: "shop", Home: "/home/shop", Shell: "/bin/zsh"})
	for name, want := range map[string]string{
		"LC_TEST": "de", "UNRELATED": "", "TMPDIR": "/own", "RACK_ENV": "test", "WSGI_ENV": "", "NODE_ENV": "mine", "PYTHONPATH": "/adapters",
		"USER": "shop", "LOGNAME": "shop", "HOME": "/home/shop", "SHELL": "/bin/zsh",
		"PWD": "/srv/shop", "PASSENGER_BASE_URI": "/shop", "RAILS_RELATIVE_URL_ROOT": "/shop",
	} {
		if env[name] != want {
			t.Errorf("%s: got %q, want %q", name, env[name], want)
		}
	}
}

func TestSourcesOfTheEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "shell"), "#!/bin/sh\nRAILS_ENV=shell HOME=shell PATH=/shell:$PATH TZ=shell A=shell B=shell exec /bin/sh -c \"$2\"\n", 0o755)
	if err := os.Rename(filepath.Join(dir, "shell"), filepath.Join(dir, "bash")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "one.env"), "# comment\nB=one\nexport C=\"one\"\nD='one'\nRAILS_ENV=one\nNOTIFY_SOCKET=one\n", 0o600)
	write(t, filepath.Join(dir, "two.env"), "C=two\nE=a=b\n\n", 0o600)
	config := protocol.AppConfig{
		Environment: "test", EnvFiles: []string{"one.env", filepath.Join(dir, "two.env")}, LoadShellEnvVars: true,
		EnvVars: map[string]string{"D": "mine"},
	}
	user := account.User{Name: "shop", Home: "/home/shop", Shell: filepath.Join(dir, "bash")}
	env := New(config, dir, nil, user)
	e := SourcesOf(config, env, user)
	added, err := e.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	merged := map[string]string{}
	for _, kv := range e.Merge(List(env), added.Env) {
		name, value, _ := strings.Cut(kv, "=")
		if _, twice := merged[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		merged[name] = value
	}
	for name, want := range map[string]string{
		"A": "shell", "B": "one", "C": "two", "D": "mine", "E": "a=b", "TZ": "shell",
		"HOME": "/home/shop", "RAILS_ENV": "one", "RACK_ENV": "test", "NOTIFY_SOCKET": "",
	} {
		if merged[name] != want {
			t.Errorf("%s: got %q, want %q", name, merged[name], want)
		}
	}
	if !strings.HasPrefix(merged["PATH"], "/shell:") {
		t.Errorf("PATH: got %q, want the shell's", merged["PATH"])
	}
	if got, want := strings.Join(added.FromFiles, " "), "B C E RAILS_ENV"; got != want {
		t.Errorf("from files: got %q, want %q", got, want)
	}
}

func TestAProfileThatStartsADaemonDelaysNothing(t *testing.T) {
	t.Parallel()
	shell := filepath.Join(t.TempDir(), "sh")
	write(t, shell, "#!/bin/sh\nsleep 600 & export AGENT=$!\nexec /bin/sh -c \"$2\"\n", 0o755)
	exports, err := askShell(shell)
	if err != nil || exports["AGENT"] == "" {
		t.Fatalf("got %v, %v, want AGENT", exports, err)
	}
	pid, err := strconv.Atoi(exports["AGENT"])
	if err != nil || syscall.Kill(pid, syscall.SIGKILL) != nil {
		t.Errorf("the daemon %q is gone: %v", exports["AGENT"], err)
	}
}

func TestSourcesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad.env"), "A=1\na secret line\n", 0o600)
	for _, tt := range []struct {
		SourcesOf Sources
		want      string
	}{
		{Sources{Files: []string{"none.env"}}, "none.env: no such file or directory"},
		{Sources{Files: []string{"bad.env"}}, "bad.env: line 2 has not the form NAME=VALUE"},
		{Sources{LoginShell: "/usr/sbin/nologin"}, `login shell "/usr/sbin/nologin" is none of sh, bash`},
		{Sources{LoginShell: filepath.Join(dir, "zsh")}, "load_shell_envvars: fork/exec"},
	} {
		_, err := tt.SourcesOf.Read(dir)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

func TestPathOfAnotherUserLeavesOutOurHome(t *testing.T) {
	t.Setenv("HOME", "/home/us")
	t.Setenv("PATH", "/root/.cache/passenger/bin:/usr/bin:bin::/home/us/bin:/home/usher/bin:/root:/rooted/bin")
	another := account.User{Name: "shop", UID: os.Geteuid() + 1}
	if got, want := New(protocol.AppConfig{}, "/", nil, another)["PATH"], "/usr/bin:/home/usher/bin:/rooted/bin"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	ourselves := account.User{Name: "us", UID: os.Geteuid()}
	if got := New(protocol.AppConfig{}, "/", nil, ourselves)["PATH"]; got != os.Getenv("PATH") {
		t.Errorf("got %q for our own user, want our own", got)
	}
	t.Setenv("PATH", "/root/bin")
	if got := New(protocol.AppConfig{}, "/", nil, another)["PATH"]; got != defaultPath {
		t.Errorf("got %q where nothing is left, want the default", got)
	}
}

// write makes a file. No process is forked meanwhile: it would hold the file
// open for writing, and execve(2) refuses such a program.
func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
