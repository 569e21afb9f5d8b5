package spawn

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"passenger/lib/account"
	"passenger/lib/protocol"
	"passenger/lib/secret"
)

func TestEnvironmentOrder(t *testing.T) {
	t.Setenv("LC_TEST", "de")
	t.Setenv("UNRELATED", "x")
	t.Setenv("TMPDIR", "/var/tmp")
	env := environment(protocol.AppConfig{
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
	env := environment(config, dir, nil, user)
	e := sources(config, env, user)
	added, err := e.read(dir)
	if err != nil {
		t.Fatal(err)
	}
	merged := map[string]string{}
	for _, kv := range e.merge(list(env), added.Env) {
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
	write(t, shell, "#!/bin/sh\nsleep 30 & export AGENT=$!\nexec /bin/sh -c \"$2\"\n", 0o755)
	began := time.Now()
	exports, err := askShell(shell)
	if err != nil || exports["AGENT"] == "" {
		t.Fatalf("got %v, %v, want AGENT", exports, err)
	}
	if took := time.Since(began); took > shellTimeout/2 {
		t.Errorf("took %v", took)
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
		sources EnvSources
		want    string
	}{
		{EnvSources{Files: []string{"none.env"}}, "none.env: no such file or directory"},
		{EnvSources{Files: []string{"bad.env"}}, "bad.env: line 2 has not the form NAME=VALUE"},
		{EnvSources{LoginShell: "/usr/sbin/nologin"}, `login shell "/usr/sbin/nologin" is none of sh, bash`},
		{EnvSources{LoginShell: filepath.Join(dir, "zsh")}, "load_shell_envvars: fork/exec"},
	} {
		_, err := tt.sources.read(dir)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want %q", err, tt.want)
		}
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

func TestNoSecretInASpawnError(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".env"), "STRIPE=sk_live_1234\nDATABASE=postgres://shop:hunter2hunter2@db/shop\n", 0o600)
	config := appConfig(`failing {"summary": "sk_live_1234 is refused", "detail": "tok-abcdef, hunter2hunter2", "error_class": "X"}`)
	config.AppRoot, config.EnvFiles = dir, []string{".env"}
	config.EnvVars["API_TOKEN"] = "tok-abcdef"
	config.StartCommand += " --with tok-abcdef"
	_, err := s.Spawn(t.Context(), request("hide", config))
	var se *protocol.SpawnError
	if !errors.As(err, &se) {
		t.Fatalf("got %v, want a spawn error", err)
	}
	text, err := json.Marshal(se)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"sk_live_1234", "tok-abcdef", "hunter2hunter2"} {
		if strings.Contains(string(text), value) {
			t.Errorf("%s is shown: %s", value, text)
		}
	}
	if !strings.Contains(se.Summary, secret.Hidden+" is refused") || se.Environment["STRIPE"] != secret.Hidden {
		t.Errorf("got summary %q, STRIPE %q", se.Summary, se.Environment["STRIPE"])
	}
}

// TestHideKnowsEveryField has the secret in each text of a spawn error, but for
// those that the spawner makes itself.
func TestHideKnowsEveryField(t *testing.T) {
	t.Parallel()
	const value = "tok-abcdef"
	ours := []string{"Category", "App", "ProcessID", "AppRoot", "User", "Phases", "Environment"}
	e := &protocol.SpawnError{Exit: &protocol.Exit{Cause: value}}
	fields := reflect.ValueOf(e).Elem()
	for i := range fields.NumField() {
		f := fields.Field(i)
		switch f.Interface().(type) {
		case string:
			f.SetString(value)
		case []string:
			f.Set(reflect.ValueOf([]string{"a " + value}))
		}
		if slices.Contains(ours, fields.Type().Field(i).Name) {
			f.SetZero()
		}
	}
	hide(e, &plan{env: map[string]string{"API_TOKEN": value, "OPTIONS": "--token " + value}})
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), value) || !strings.Contains(string(text), secret.Hidden) {
		t.Errorf("got %s", text)
	}
}

func TestPathOfAnotherUserLeavesOutOurHome(t *testing.T) {
	t.Setenv("HOME", "/home/us")
	t.Setenv("PATH", "/root/.cache/passenger/bin:/usr/bin:bin::/home/us/bin:/home/usher/bin:/root:/rooted/bin")
	another := account.User{Name: "shop", UID: os.Geteuid() + 1}
	if got, want := environment(protocol.AppConfig{}, "/", nil, another)["PATH"], "/usr/bin:/home/usher/bin:/rooted/bin"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	ourselves := account.User{Name: "us", UID: os.Geteuid()}
	if got := environment(protocol.AppConfig{}, "/", nil, ourselves)["PATH"]; got != os.Getenv("PATH") {
		t.Errorf("got %q for our own user, want our own", got)
	}
	t.Setenv("PATH", "/root/bin")
	if got := environment(protocol.AppConfig{}, "/", nil, another)["PATH"]; got != defaultPath {
		t.Errorf("got %q where nothing is left, want the default", got)
	}
}
