package protocol

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// messages are all that is sent or stored as a whole, by the name of its
// golden file.
var messages = map[string]any{
	"app":             App{},
	"app-config":      AppConfig{},
	"app-list":        AppList{},
	"app-settings":    AppSettings{},
	"call-list":       CallList{},
	"error-reply":     ErrorReply{},
	"drain-request":   DrainRequest{},
	"event":           Event{},
	"health":          Health{},
	"host":            Host{},
	"info":            Info{},
	"process":         Process{},
	"process-list":    ProcessList{},
	"output":          Output{},
	"preloader-list":  PreloaderList{},
	"proxy-apps":      ProxyApps{},
	"proxy-report":    ProxyReport{},
	"request-list":    RequestList{},
	"promote-request": PromoteRequest{},
	"backtrace":       Backtrace{},
	"reload-reply":    ReloadReply{},
	"restart-reply":   RestartReply{},
	"restart-request": RestartRequest{},
	"routes":          Routes{},
	"pause-request":   PauseRequest{},
	"scale-request":   ScaleRequest{},
	"canary-request":  CanaryRequest{},
	"preview":         Preview{},
	"spawn-error":     SpawnError{},
	"stop-request":    StopRequest{},
	"spawn-request":   SpawnRequest{},
}

// TestMessagesAreTheBytesOfVersion1 has every field of every message set. A
// difference is a change of the protocol: a new field is fine and -update
// writes it; one that changes or goes needs a new Version.
func TestMessagesAreTheBytesOfVersion1(t *testing.T) {
	t.Parallel()
	for name, zero := range messages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := reflect.New(reflect.TypeOf(zero))
			fill(want.Elem(), name)
			b, err := json.MarshalIndent(want.Interface(), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := checkGolden(t, name+".json", append(b, '\n'))

			// What reads them reads the same, with fields of a later version too.
			got := reflect.New(reflect.TypeOf(zero))
			everywhere := -1
			if hasMap(reflect.TypeOf(zero)) {
				everywhere = 1 // a map would take the field for a key
			}
			greased := bytes.Replace(golden, []byte("{"), []byte(`{"field_of_a_later_version": [{}],`), everywhere)
			for _, text := range [][]byte{golden, greased} {
				got.Elem().SetZero()
				if err := json.Unmarshal(text, got.Interface()); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want.Interface(), got.Interface()); diff != "" {
					t.Errorf("read back (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// fill sets v, and what it holds, to values that tell the fields apart.
func fill(v reflect.Value, name string) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Date(2026, 11, 23, 3, 0, len(name), 500_000_000, time.UTC)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(name)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(len(name)))
	case reflect.Uint8: // of JSON in JSON
		v.SetUint('1')
	case reflect.Uint64:
		v.SetUint(1<<40 + uint64(len(name)))
	case reflect.Float64:
		v.SetFloat(float64(len(name)) + 0.25)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name)
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, name)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), value)
	case reflect.Struct:
		for i := range v.NumField() {
			tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if tag == "-" {
				continue
			}
			fill(v.Field(i), tag)
		}
	default:
		panic("a message has a " + v.Kind().String())
	}
}

func hasMap(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Map:
		return true
	case reflect.Pointer, reflect.Slice:
		return hasMap(t.Elem())
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return false
		}
		for i := range t.NumField() {
			if hasMap(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

func checkGolden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", "v"+strconv.Itoa(Version), name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
	return want
}

// TestNamesAreThoseOfVersion1 pins the closed lists and the paths: what is in
// them once stays, and a client may branch on it.
func TestNamesAreThoseOfVersion1(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string][]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.CONST {
				collect(t, d, names)
			}
		}
	}
	b, err := json.MarshalIndent(names, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "names.json", append(b, '\n'))
}

// collect adds the string constants of d to the list of their kind: their
// type, else the first word of their names.
func collect(t *testing.T, d *ast.GenDecl, names map[string][]string) {
	t.Helper()
	for _, s := range d.Specs {
		s := s.(*ast.ValueSpec)
		for i, value := range s.Values {
			lit, ok := value.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				continue
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			kind := firstWord(s.Names[i].Name)
			if typ, ok := s.Type.(*ast.Ident); ok {
				kind = typ.Name
			}
			names[kind] = append(names[kind], text)
		}
	}
}

func firstWord(name string) string {
	for i, r := range name[1:] {
		if r >= 'A' && r <= 'Z' {
			return name[:i+1]
		}
	}
	return name
}
