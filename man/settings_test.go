package man_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/app"
	"passenger/lib/protocol"
	"passenger/lib/status"
)

// tableRow is a row of the table of Passengerfile(5): the name, the type and
// the default of a key, and the line on it.
var tableRow = regexp.MustCompile(`(?m)^\.It Va (\w+)\n(\w+), ?(?:([^.]+)\.|\n\.Li (.+) \.)\n(.+)\.$`)

// elsewhere names the constants of the code that are the defaults of keys which
// app.WithDefaults leaves alone.
var elsewhere = map[string]string{
	"added_headers":                     "HeadersFew",
	"trial_time":                        "trialTime",
	"restart_surge":                     "defaultSurge",
	"max_upgraded_per_process":          "defaultMaxUpgraded",
	"response_buffer_high_watermark":    "defaultMostKept",
	"sticky_sessions_cookie_name":       "stickyCookie",
	"sticky_sessions_cookie_attributes": "stickyAttributes",
}

// inCode are defaults that are no constants in the code, but literals in it.
var inCode = map[string]string{
	"abort_websockets_on_process_shutdown": "true",
	"buffer_response":                      "true",
	"request_queue_overflow_status_code":   "503",
	"ruby":                                 "ruby",
	"nodejs":                               "node",
}

// inWords are the keys whose default depends on the app, or on where it runs.
var inWords = []string{
	"app_root", "app_type", "buffer_upload", "client_request_burst", "force_max_concurrent_requests_per_process", "friendly_error_pages", "group",
	"max_request_queue_size", "name", "no_new_privileges", "python", "request_burst", "server_names", "spawn_method", "startup_file", "umask",
	"user", "watch_errors", "yjit",
}

// TestSettingsTable compares the table at the top of Passengerfile(5) with the
// keys of AppConfig: their names in order, their types and their defaults.
func TestSettingsTable(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(page(t, "Passengerfile.5"), "\n.Ss All settings\n")
	table, _, ok := strings.Cut(table, "\n.El\n")
	if !ok {
		t.Fatal("the page has no table of all settings")
	}
	kinds, constants := settingTypes(), constantsOf(t, "../lib")
	inTable := []string{}
	for _, m := range tableRow.FindAllStringSubmatch(table, -1) {
		name, kind, words, value := m[1], m[2], m[3], strings.Trim(m[4], `"`)
		inTable = append(inTable, name)
		if kind != kinds[name] {
			t.Errorf("%s: the page says %q, the code %q", name, kind, kinds[name])
		}
		want := defaultOf(t, name, constants)
		switch {
		case slices.Contains(inWords, name):
			if words == "" || words == "none" {
				t.Errorf("%s: want the default in words, got %q", name, words+value)
			}
		case words == "" && value != want:
			t.Errorf("%s: the page says %q, the code %q", name, value, want)
		case words != "" && (words != "none" || want != ""):
			t.Errorf("%s: the page says %q, the code %q", name, words, want)
		}
	}
	if diff := cmp.Diff(keys(reflect.TypeFor[protocol.AppConfig](), "SideProcess"), inTable); diff != "" {
		t.Errorf("the table differs (-code +page):\n%s", diff)
	}
}

// TestSideProcessKeys looks for the keys of side processes in their section.
func TestSideProcessKeys(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(page(t, "Passengerfile.5"), "\n.Ss Side processes\n")
	section, _, _ = strings.Cut(section, "\n.Ss ")
	for _, key := range keys(reflect.TypeFor[protocol.SideProcess]()) {
		if !regexp.MustCompile(`(?m)^\.It Va (\w+ , )?` + key + `( ,|$)`).MatchString(section) {
			t.Errorf("Passengerfile(5) does not tell of %q", key)
		}
	}
}

// settingTypes returns the types of the keys, in the words of the page.
func settingTypes() map[string]string {
	all := map[string]string{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[protocol.AppConfig]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		typ := f.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		all[name] = map[reflect.Kind]string{
			reflect.String: "text", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Float64: "number",
			reflect.Slice: "array", reflect.Map: "object",
		}[typ.Kind()]
	}
	return all
}

// defaultOf returns the default of a key as the page writes it, "" for none.
func defaultOf(t *testing.T, name string, constants map[string]string) string {
	t.Helper()
	if constant, ok := elsewhere[name]; ok {
		value, ok := constants[constant]
		if !ok {
			t.Errorf("%s: the code has no constant %s", name, constant)
		}
		return value
	}
	if value, ok := inCode[name]; ok {
		return value
	}
	var values map[string]any
	b, err := json.Marshal(app.WithDefaults(protocol.AppConfig{}))
	if err == nil {
		err = json.Unmarshal(b, &values)
	}
	if err != nil {
		t.Fatal(err)
	}
	if value, ok := values[name]; ok {
		return fmt.Sprint(value)
	}
	// A zero value is left out of the JSON. The page says what it means.
	switch {
	case settingTypes()[name] == "boolean":
		return "false"
	case slices.Contains([]string{"nice", "oom_score_adj", "spare_instances"}, name):
		return "0"
	}
	return ""
}

// constantsOf returns the values of the constants in the Go files below dir
// that stand for themselves, durations in seconds. One that two packages have
// with different values is left out.
func constantsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != len(spec.Names) {
				return true
			}
			for i, name := range spec.Names {
				value, ok := evaluated(spec.Values[i])
				if former, twice := all[name.Name]; ok && twice && former != value {
					value = ""
				}
				if ok {
					all[name.Name] = value
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// evaluated returns the value of an expression of literals.
func evaluated(e ast.Expr) (string, bool) {
	text := strings.TrimSuffix(types.ExprString(e), " * time.Second")
	value, err := types.Eval(token.NewFileSet(), nil, token.NoPos, text)
	if err != nil || value.Value == nil {
		return "", false
	}
	if value.Value.Kind() == constant.String {
		s, err := strconv.Unquote(value.Value.ExactString())
		return s, err == nil
	}
	return value.Value.ExactString(), true
}

// settingName is what a page marks as a variable, if that has an underscore.
var settingName = regexp.MustCompile(`(?m)^\.Va (.*_.*)$`)

// notSettings are variables of other programs, and keys of what a selftest and
// detect print.
var notSettings = []string{
	"ignore_invalid_headers", "nginx_bin", "cut_off", "slow_limit_seconds", "p50_seconds", "p99_seconds", "max_seconds",
	"recovered_seconds", "looked_for",
}

// TestNamedSettings checks that every variable with an underscore which a page
// of the programs names is a key of the settings, of the status or of an event.
func TestNamedSettings(t *testing.T) {
	t.Parallel()
	known := slices.Concat(notSettings, keys(reflect.TypeFor[protocol.AppConfig]()), keys(reflect.TypeFor[status.Status]()),
		keys(reflect.TypeFor[protocol.Event]()))
	for _, name := range []string{
		"Passengerfile.5", "passenger.1", "passenger-config.1", "passenger-pool.1", "passenger-proxy.1", "passenger-servers.7",
		"passenger-spawn.1", "passenger-news.7",
	} {
		for _, m := range settingName.FindAllStringSubmatch(page(t, name), -1) {
			for _, word := range strings.Fields(m[1]) {
				if strings.Contains(word, "_") && word == strings.ToLower(word) && !slices.Contains(known, word) {
					t.Errorf("%s names %q, which no program knows", name, word)
				}
			}
		}
	}
}
