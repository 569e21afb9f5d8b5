package wrapper

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMain is the program that reads a command line, for the tests.
func TestMain(m *testing.M) {
	if os.Getenv("WRAPPER_TEST") == "" {
		os.Exit(m.Run())
	}
	os.Exit(Read(os.Args[1:]))
}

// read has args read in a directory with the apps shop and "my blog", and a shell
// print the variables that are named, those that are lists a word a line.
func read(t *testing.T, env []string, names []string, args ...string) (shown, stderr string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"shop", "my blog", "more"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(os.Args[0], args...)
	c.Dir = dir
	c.Env = append([]string{"WRAPPER_TEST=1"}, env...)
	var told strings.Builder
	c.Stderr = &told
	text, err := c.Output()
	if err != nil {
		return "", told.String()
	}
	script := string(text)
	for _, name := range names {
		script += "eval \"set -- $" + name + "\"; for word; do printf '%s\\n' \"$word\"; done\n"
	}
	sh := exec.Command("sh", "-u")
	sh.Stdin = strings.NewReader(script)
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.ReplaceAll(string(out), dir, "DIR"), told.String()
}

func TestWords(t *testing.T) {
	t.Parallel()
	trusted := "--trusted-proxy=127.0.0.0/8,::1"
	tests := []struct {
		args  string // divided at blanks; _ is a blank
		names string
		env   string
		want  []string
	}{
		{args: "start", names: "url hold_flags proxy_flags pool_flags", want: []string{
			"http://127.0.0.1:3000/", "--listen=127.0.0.1:3000", "--listen=127.0.0.1:3000", trusted, "--set", "environment?=development", "--", "DIR"}},
		{args: "start shop my_blog/ -e staging --min-instances=2", names: "apps pool_flags", want: []string{
			"DIR/shop", "DIR/my blog", "--set", "environment=staging", "--set", "min_instances=2", "--", "DIR/shop", "DIR/my blog"}},
		{args: "start shop", env: "RACK_ENV=test", names: "usual_environment pool_flags", want: []string{"test", "--set", "environment?=test", "--", "DIR/shop"}},
		{args: "start -a ::1 -p80 --tls-port 443 --acme-domain a.test --acme-agree-tos", names: "hold_flags proxy_flags", want: []string{
			"--listen=[::1]:80", "--listen=tls:[::1]:443", "--listen=[::1]:80", "--listen=tls:[::1]:443", "--acme-domain=a.test", "--acme-agree-tos", trusted}},
		{args: "start --tls --certificate a,b.pem --key k.pem", names: "url proxy_flags", want: []string{
			"https://127.0.0.1:3000/", "--listen=tls:127.0.0.1:3000", "--certificate=a,b.pem", "--key=k.pem", trusted}},
		{args: "start -S web.sock --trusted-proxy none --access-log json", names: "url proxy_flags", want: []string{
			"unix:DIR/web.sock", "--listen=unix:DIR/web.sock", "--access-log=json"}},
		{args: "start --trusted-proxy 10.0.0.0/8 --trusted-proxy ::2", names: "proxy_flags", want: []string{"--listen=127.0.0.1:3000", trusted + ",10.0.0.0/8,::2"}},
		{args: "start --proxy h2c --proxy=--drain-timeout=5s --spawn=log-format=json --pool hook=x=echo_'a'", names: "proxy_flags spawn_flags pool_flags", want: []string{
			"--listen=127.0.0.1:3000", trusted, "--h2c", "--drain-timeout=5s", "--log-format=json", "--set", "environment?=development", "--hook=x=echo 'a'", "--", "DIR"}},
		{args: "start --apps-dir more", names: "apps pool_flags", want: []string{"--apps-dir=DIR/more", "--"}},
		{args: "start --user-switching --run-as web shop", env: "PASSENGER_PROXY_TRUSTED_PROXY=10.0.0.1", names: "user_switching run_as apps describe proxy_flags pool_flags", want: []string{
			"yes", "web", "DIR/shop", "--environment=development", "--listen=127.0.0.1:3000", "--trusted-proxy=10.0.0.1"}},
		{args: "start -e development", names: "watch proxy_flags", want: []string{"--listen=127.0.0.1:3000", trusted}}, // at no terminal
		{args: "start --watch shop", names: "watch proxy_flags", want: []string{"yes", "--listen=127.0.0.1:3000", "--access-log=short", trusted}},
		{args: "start --watch --access-log=none", names: "watch proxy_flags", want: []string{"yes", "--listen=127.0.0.1:3000", "--access-log=none", trusted}},
		{args: "logs \xff", names: "words", want: []string{"logs", "--lines=20", "--", "\xff"}},
		{args: "stop -p 4000", names: "port", want: []string{"4000"}},
		{args: "status -p 4000 requests --format=json -S s", names: "port socket words", want: []string{"4000", "s", "requests", "--format=json"}},
		{args: "logs -fn3 shop", names: "words", want: []string{"logs", "--lines=3", "--follow", "--", "shop"}},
	}
	for _, tt := range tests {
		var args []string
		for _, word := range strings.Fields(tt.args) {
			args = append(args, strings.ReplaceAll(word, "_", " "))
		}
		got, stderr := read(t, strings.Fields(tt.env), strings.Fields(tt.names), args...)
		if diff := cmp.Diff(tt.want, strings.Split(strings.TrimSuffix(got, "\n"), "\n")); diff != "" {
			t.Errorf("passenger %s: (-want +got)\n%s%s", tt.args, diff, stderr)
		}
	}
}

func TestHelpIsPrintedByTheShell(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"--help", "help start", "start --help", "logs -h"} {
		got, _ := read(t, nil, nil, strings.Fields(args)...)
		if !strings.HasPrefix(got, "Usage: passenger ") {
			t.Errorf("passenger %s: got %q", args, got)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"start --tls --tls-port=443":            "exclude one another",
		"start -S s --tls-port=443":             "--socket excludes --tls-port",
		"start --certificate a --tls":           "each --certificate needs its --key; there are 1 and 0",
		"start --acme-domain a":                 "add --tls or --tls-port",
		"start --apps-dir more -e x":            "--apps-dir excludes --environment",
		"start --apps-dir none":                 `cannot serve the apps in "none": no such directory`,
		"start --min-instances 9":               "the minimum is over the maximum",
		"start --max-pool-size 0":               "a number from 1 to 10000",
		"start --pool state-dir=/x":             "all daemons have one state directory",
		"start --proxy=-h":                      "with -h a daemon does not run",
		"start --pool version":                  "with --version a daemon does not run",
		"start --spawn=--":                      `"--" is no flag for a daemon`,
		"stop -p 0080":                          `"0080" is not a port`,
		"start -p +80":                          `"+80" is not a port`,
		"start --watch --user-switching":        "--watch excludes --user-switching",
		"--tls start":                           `which is of "passenger start"`,
		"--port=80 start":                       `unknown flag --port before the command; it stands behind it`,
		"-p 80 start":                           `unknown flag -p before the command; it stands behind it`,
		"stop --tls":                            `which is of "passenger start"`,
		"start --ssl-certificate=x":             "use passenger start --certificate",
		"reload":                                `use "passenger restart"`,
		"monit":                                 `use "passenger status --watch"`,
		"status -p":                             "-p needs a value",
		"logs --socket=":                        "--socket needs a value",
		"start --environmnt=x":                  `did you mean "--environment"?`,
		"start --user-switching --apps-dir x a": "excludes an app directory",
	} {
		got, stderr := read(t, nil, nil, strings.Fields(args)...)
		if got != "" || !strings.Contains(stderr, want) || !strings.HasPrefix(stderr, "passenger: error: ") {
			t.Errorf("passenger %s: got %q and %q, want %q", args, got, stderr, want)
		}
	}
}
