package testscripts

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// topLevel is all that the repository's top level may hold.
var topLevel = []string{
	".ci", "LICENSE", "Makefile", "README.md", "cmd", "go.mod", "go.sum", "lib", "man", "testscripts",
}

func TestTopLevelHoldsOnlyWhatBelongsThere(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, path := range lines(t, "git", "-C", "..", "ls-files") {
		top, _, _ := strings.Cut(path, "/")
		if !slices.Contains(topLevel, top) && !seen[top] {
			t.Errorf("%s is at the top level; only %s may be", top, strings.Join(topLevel, ", "))
		}
		seen[top] = true
	}
}

// A pkg is one of ours, with the packages that it imports itself or through
// others.
type pkg struct {
	path string
	main bool
	deps []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	var list []pkg
	for _, line := range lines(t, "go", "list", "-f", `{{.ImportPath}} {{.Name}} {{join .Deps " "}}`, "passenger/...") {
		f := strings.Fields(line)
		list = append(list, pkg{path: f[0], main: f[1] == "main", deps: f[2:]})
	}
	if len(list) == 0 {
		t.Fatal("go list named no package")
	}
	return list
}

func lines(t *testing.T, name string, args ...string) []string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// within says whether path is the package root or below it.
func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// TestPartsMeetOnlyInTheProtocol: spawner, pool and proxy can each be replaced
// by another program only as long as none knows another's code.
func TestPartsMeetOnlyInTheProtocol(t *testing.T) {
	t.Parallel()
	parts := []string{"passenger/lib/spawn", "passenger/lib/pool", "passenger/lib/proxy"}
	for _, p := range packages(t) {
		var of string // the part that p belongs to
		for _, part := range parts {
			if within(p.path, part) || p.path == "passenger/cmd/passenger-"+filepath.Base(part) {
				of = part
			}
		}
		for _, dep := range p.deps {
			for _, other := range parts {
				if of != "" && other != of && within(dep, other) {
					t.Errorf("%s imports %s; they meet in passenger/lib/protocol", p.path, dep)
				}
			}
		}
	}
}

// leaves import nothing of ours but what is named.
var leaves = map[string][]string{
	"passenger/lib/protocol":      {},
	"passenger/lib/unixsock":      {},
	"passenger/lib/spelling":      {},
	"passenger/lib/visible":       {},
	"passenger/lib/bug":           {},
	"passenger/lib/http1":         {},
	"passenger/lib/http1/message": {"passenger/lib/http1"},
	"passenger/lib/httpcache":     {"passenger/lib/http1", "passenger/lib/list"},
	"passenger/lib/list":          {},
	"passenger/lib/jsonkey":       {},
	"passenger/lib/statedir":      {"passenger/lib/unixsock"},
	"passenger/lib/fdstore":       {"passenger/lib/unixsock", "passenger/lib/loglimit", "passenger/lib/security", "passenger/lib/trail"},
	"passenger/lib/systemd":       {},
	"passenger/lib/secret":        {},
	"passenger/lib/cgroup":        {},
	"passenger/lib/account":       {"passenger/lib/spelling"},
	"passenger/lib/control": {"passenger/lib/bug", "passenger/lib/http1", "passenger/lib/http1/message", "passenger/lib/protocol", "passenger/lib/unixsock", "passenger/lib/account", "passenger/lib/spelling", "passenger/lib/jsonkey",
		"passenger/lib/histogram", "passenger/lib/loglimit", "passenger/lib/security", "passenger/lib/trail"},
	"passenger/lib/adapter":  {"passenger/lib/protocol", "passenger/lib/http1", "passenger/lib/http1/message"},
	"passenger/lib/acme":     {},
	"passenger/lib/loglimit": {},
	"passenger/lib/trail":    {},
	"passenger/lib/security": {"passenger/lib/trail"},
}

func TestLeavesImportNothingAboveThem(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range packages(t) {
		may, ok := leaves[p.path]
		if !ok {
			continue
		}
		found++
		for _, dep := range p.deps {
			if within(dep, "passenger") && !slices.Contains(may, dep) {
				t.Errorf("%s imports %s; of ours it may import %q", p.path, dep, may)
			}
		}
	}
	if found != len(leaves) {
		t.Errorf("got %d of the %d packages named here", found, len(leaves))
	}
}

// rooms are the packages of the proxy that it alone uses, with what of ours each
// imports, itself or through others.
var rooms = map[string][]string{
	"admin":       {"bug", "farend", "http1", "http2", "list", "protocol", "proxy/balance", "proxy/files", "proxy/wire", "spawnerror", "trail", "visible"},
	"listen":      {"account", "spelling", "systemd", "unixsock"},
	"certificate": {"account", "acme", "bug", "control", "histogram", "http1", "http1/message", "jsonkey", "loglimit", "protocol", "security", "spelling", "trail", "unixsock"},
	"accesslog":   {"http1", "loglimit"},
	"files":       {"http1", "protocol", "trail"},
	"wire":        {"http1", "http2", "list"},
	"fronted":     {"account", "bug", "control", "farend", "histogram", "http1", "http1/message", "http2", "jsonkey", "list", "loglimit", "protocol", "proxy/balance", "proxy/files", "proxy/wire", "security", "spawnerror", "spelling", "trail", "unixsock", "visible"},
	"buffering":   {"bug", "http1", "http2", "list", "protocol", "proxy/files", "proxy/wire", "trail"},
	"tunnel":      {"bug", "http1", "http2", "list", "proxy/wire"},
	"page":        {"http1", "protocol", "proxy/files", "spawnerror", "trail", "visible"},
	"static":      {"http1", "http2", "list", "loglimit", "protocol", "proxy/files", "proxy/wire", "security", "trail"},
	"apphead":     {"account", "bug", "control", "farend", "histogram", "http1", "http1/message", "http2", "jsonkey", "list", "loglimit", "protocol", "proxy/balance", "proxy/files", "proxy/forwarded", "proxy/fronted", "proxy/tunnel", "proxy/wire", "security", "spawnerror", "spelling", "trail", "unixsock", "visible"},
	"tally":       {"account", "bug", "control", "histogram", "http1", "http1/message", "jsonkey", "loglimit", "protocol", "security", "spelling", "trail", "unixsock"},
	"packing":     {"compress", "http1", "httpcache", "list"},
	"hosts":       {"http1", "protocol"},
	"limits":      {"account", "bug", "control", "histogram", "http1", "http1/message", "jsonkey", "loglimit", "protocol", "security", "spelling", "trail", "unixsock"},
	"park":        {"loglimit"},
	"trace":       {"account", "bug", "control", "histogram", "http1", "http1/message", "http2", "jsonkey", "list", "loglimit", "protocol", "proxy/files", "proxy/forwarded", "proxy/wire", "security", "spelling", "trail", "unixsock"},
	"phase":       {},
	"forwarded":   {"account", "http1", "http2", "list", "protocol", "proxy/files", "proxy/wire", "security", "spelling", "trail", "unixsock"},
	"greeting":    {"http1", "http2", "list", "proxy/wire"},
	"crowd":       {"account", "proc", "protocol", "spelling"},
	"descriptors": {"loglimit"},
	"balance":     {"bug", "farend", "http1", "http2", "list", "protocol", "proxy/files", "proxy/wire", "spawnerror", "trail", "visible"},
}

// TestRoomsOfTheProxyKnowNoProxy: each of them can be read, and changed, without
// the path of a request.
func TestRoomsOfTheProxyKnowNoProxy(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range packages(t) {
		name, ok := strings.CutPrefix(p.path, "passenger/lib/proxy/")
		if !ok {
			continue
		}
		found++
		for _, dep := range p.deps {
			if within(dep, "passenger") && !slices.Contains(rooms[name], strings.TrimPrefix(dep, "passenger/lib/")) {
				t.Errorf("%s imports %s; of ours it may import %q", p.path, dep, rooms[name])
			}
		}
	}
	if found != len(rooms) {
		t.Errorf("got %d of the %d packages named here", found, len(rooms))
	}
}

// TestProgramsCarryNoTestCode: a test's tools belong in _test.go files.
func TestProgramsCarryNoTestCode(t *testing.T) {
	t.Parallel()
	banned := []string{"testing", "google.golang.org/protobuf/proto", "net/http/httptest", "github.com/google/go-cmp/cmp", "github.com/rogpeppe/go-internal/testscript"}
	for _, p := range packages(t) {
		if !p.main {
			continue
		}
		for _, dep := range banned {
			if slices.Contains(p.deps, dep) {
				t.Errorf("%s imports %s", p.path, dep)
			}
		}
	}
}

// TestSmallDaemonsStaySmall: what these bring is a third of the memory and of the
// size of a daemon that speaks over unix sockets alone.
func TestSmallDaemonsStaySmall(t *testing.T) {
	t.Parallel()
	heavy := []string{"net/http", "crypto/tls", "html/template", "text/template"}
	for _, p := range packages(t) {
		if p.path != "passenger/cmd/passenger-spawn" && p.path != "passenger/cmd/passenger-pool" {
			continue
		}
		for _, dep := range heavy {
			if slices.Contains(p.deps, dep) {
				t.Errorf("%s links %s; see lib/http1/message for HTTP, and for its words lib/http1", p.path, dep)
			}
		}
	}
}

// TestLockfilesNameNoRegistry: they are for any registry that npm is set up with.
func TestLockfilesNameNoRegistry(t *testing.T) {
	t.Parallel()
	files := lines(t, "git", "-C", "..", "ls-files", "*package-lock.json")
	address := regexp.MustCompile(`"resolved": "[a-z+]+:`) // a path is of a package inside another
	for _, path := range files {
		lock, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		if address.Match(lock) {
			t.Errorf("%s says where packages are; write it with omit-lockfile-registry-resolved=true", path)
		}
		if _, err := os.Stat(filepath.Join("..", filepath.Dir(path), ".npmrc")); err != nil {
			t.Errorf("the next npm install would change %s: %v", path, err)
		}
	}
	if len(files) < 3 {
		t.Errorf("only %d lockfiles were looked at", len(files))
	}
}
