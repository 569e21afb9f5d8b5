// Package man_test keeps the manual pages true: flags, settings and JSON keys
// are those of the programs.
package man_test

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
	"passenger/lib/status"
)

var (
	helpFlag   = regexp.MustCompile(`(?m)^ +(?:-\w, +)?--(?:\[no-\])?([a-z][a-z-]*)`)
	pageFlag   = regexp.MustCompile(`(?m)^\.It Fl (?:\w+ , )?-([a-z][a-z-]*)`)
	subcommand = regexp.MustCompile(`(?m)^  ([a-z]+) `)
)

// TestFlags compares the long flags of --help, of each subcommand too, with
// the OPTIONS of the page.
func TestFlags(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+"/", "../cmd/...")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wrapper, err := os.ReadFile("../lib/dist/passenger")
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]string{"passenger": filepath.Join(bin, "passenger")}
	if err := os.WriteFile(programs["passenger"], wrapper, 0o755); err != nil { // it looks for the programs beside it
		t.Fatal(err)
	}
	for _, p := range []string{"spawn", "pool", "proxy", "status"} {
		programs["passenger-"+p] = filepath.Join(bin, "passenger-"+p)
	}
	for name, path := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			help := output(t, path, "--help")
			if _, commands, ok := strings.Cut(help, "\nCommands:\n"); ok {
				for _, m := range subcommand.FindAllStringSubmatch(commands, -1) {
					if name+m[1] != "passengerstatus" { // it has the flags of passenger-status
						help += output(t, path, m[1], "--help")
					}
				}
			}
			differ(t, found(helpFlag, help), found(pageFlag, page(t, name+".1")))
		})
	}
}

func output(t *testing.T, path string, args ...string) string {
	t.Helper()
	out, err := exec.Command(path, args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v", path, args, err)
	}
	return string(out)
}

func page(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func found(re *regexp.Regexp, text string) []string {
	set := map[string]bool{}
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		set[m[1]] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func differ(t *testing.T, program, page []string) {
	t.Helper()
	if diff := cmp.Diff(program, page); diff != "" {
		t.Errorf("the page differs (-program +page):\n%s", diff)
	}
}

// TestSettings compares the keys of AppConfig with Passengerfile(5).
func TestSettings(t *testing.T) {
	t.Parallel()
	differ(t, keys(reflect.TypeFor[protocol.AppConfig]()), items(page(t, "Passengerfile.5")))
}

// TestStatusKeys compares the keys of the JSON status with passenger-status(1).
// Those of a spawn error, of usage and of an exit are in running text there.
func TestStatusKeys(t *testing.T) {
	t.Parallel()
	text := page(t, "passenger-status.1")
	differ(t, keys(reflect.TypeFor[status.Status](), "SpawnError", "Usage", "Exit"), items(text))
	for _, key := range slices.Concat(keys(reflect.TypeFor[protocol.Usage]()), keys(reflect.TypeFor[protocol.Exit]())) {
		if !mentions(text, key) {
			t.Errorf("passenger-status(1) does not mention %q", key)
		}
	}
}

// TestProtocolKeys checks that passenger-protocol(7) names every key and code
// that goes over a socket.
func TestProtocolKeys(t *testing.T) {
	t.Parallel()
	text := page(t, "passenger-protocol.7")
	for _, reply := range []reflect.Type{
		reflect.TypeFor[protocol.CallList](), reflect.TypeFor[protocol.Info](), reflect.TypeFor[protocol.Health](), reflect.TypeFor[protocol.ProcessList](),
		reflect.TypeFor[protocol.PreloaderList](),
		reflect.TypeFor[protocol.SpawnRequest](), reflect.TypeFor[protocol.AppList](), reflect.TypeFor[protocol.ReloadReply](), reflect.TypeFor[protocol.RestartRequest](),
		reflect.TypeFor[protocol.RestartReply](), reflect.TypeFor[protocol.Routes](), reflect.TypeFor[protocol.ProxyReport](),
		reflect.TypeFor[protocol.ProxyApps](), reflect.TypeFor[protocol.RequestList](), reflect.TypeFor[protocol.ErrorReply](),
	} {
		for _, key := range keys(reply, "AppConfig") {
			if !mentions(text, key) && !strings.Contains(text, `"`+key+`"`) {
				t.Errorf("passenger-protocol(7) does not mention %q of %v", key, reply)
			}
		}
	}
}

// items returns the names of a page's ".It Va" lines.
func items(text string) []string {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		if names, ok := strings.CutPrefix(line, ".It Va "); ok {
			for _, name := range strings.Fields(strings.ReplaceAll(names, ",", " ")) {
				set[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// mentions says that a line marks the word as a variable.
func mentions(text, key string) bool {
	for line := range strings.Lines(text) {
		macro := strings.HasPrefix(line, ".Va ") || strings.HasPrefix(line, ".It Va ")
		if macro && slices.Contains(strings.Fields(line), key) {
			return true
		}
	}
	return false
}

// keys returns the JSON keys of a type and of the types in it, but of those
// whose names are left out.
func keys(t reflect.Type, leaveOut ...string) []string {
	set := map[string]bool{}
	collect(t, leaveOut, set, map[reflect.Type]bool{})
	return slices.Sorted(maps.Keys(set))
}

func collect(t reflect.Type, leaveOut []string, set map[string]bool, seen map[reflect.Type]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		collect(t.Elem(), leaveOut, set, seen)
	case reflect.Struct:
		if seen[t] || t == reflect.TypeFor[time.Time]() || slices.Contains(leaveOut, t.Name()) {
			return
		}
		seen[t] = true
		for f := range structFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
				set[name] = true
			}
			collect(f.Type, leaveOut, set, seen)
		}
	}
}

func structFields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// namedScript is a line of a page whose only word is the path of a script or a
// directory of the source.
var namedScript = regexp.MustCompile(`(?m)^\.Pa ([a-z][a-z0-9_/]*)(?: [.,;)]|$)`)

// TestInternals checks that passenger-internals(7) names scripts and packages
// that exist.
func TestInternals(t *testing.T) {
	t.Parallel()
	for _, m := range namedScript.FindAllStringSubmatch(page(t, "passenger-internals.7"), -1) {
		name := m[1]
		path := filepath.Join("..", "testscripts", name+".txtar")
		if strings.Contains(name, "/") || name == "testscripts" {
			path = filepath.Join("..", name)
		}
		if prefixes := []string{"current", "spawn_error"}; slices.Contains(prefixes, name) {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("passenger-internals(7) names %s: %v", name, err)
		}
	}
}

// taggedPackage is an entry of the list of packages.
var taggedPackage = regexp.MustCompile(`(?m)^\.It Pa (lib/[a-z0-9/]+)$`)

// TestPackages compares the packages of passenger-internals(7) with the
// directories that hold Go files.
func TestPackages(t *testing.T) {
	t.Parallel()
	var listed, there []string
	for _, m := range taggedPackage.FindAllStringSubmatch(page(t, "passenger-internals.7"), -1) {
		listed = append(listed, m[1])
	}
	err := filepath.WalkDir("../lib", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == "testdata":
			return filepath.SkipDir
		case filepath.Ext(path) == ".go":
			there = append(there, strings.TrimPrefix(filepath.Dir(path), "../"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(listed)
	slices.Sort(there)
	if diff := cmp.Diff(slices.Compact(there), listed); diff != "" {
		t.Errorf("packages (-there +listed):\n%s", diff)
	}
}
