package dist_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"passenger/lib/cli"
	"passenger/lib/http1"
	"passenger/lib/output"
	"passenger/lib/proxy/accesslog"
	"passenger/lib/security"
)

// ecsTypes are the types of the Elastic Common Schema's fields, those of lists with
// " array" behind.
func ecsTypes(t *testing.T) map[string]string {
	t.Helper()
	types := map[string]string{}
	for line := range strings.Lines(readText(t, "testdata/ecs-"+output.ECSVersion)) {
		if name, kind, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			types[name] = kind
		}
	}
	return types
}

// mapped are the types that the index template gives to fields.
func mapped(t *testing.T) map[string]string {
	t.Helper()
	type field struct {
		Type       string
		Properties map[string]json.RawMessage
	}
	var template struct {
		IndexPatterns []string `json:"index_patterns"`
		Template      struct{ Mappings json.RawMessage }
	}
	if err := json.Unmarshal([]byte(readText(t, "elastic/template.json")), &template); err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	var walk func(name string, raw json.RawMessage)
	walk = func(name string, raw json.RawMessage) {
		var f field
		if err := json.Unmarshal(raw, &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if (f.Type == "") != (f.Properties != nil) {
			t.Errorf("%s: has a type and fields below, or neither", name)
		}
		if f.Type != "" {
			types[name] = f.Type
		}
		for sub, raw := range f.Properties {
			walk(strings.TrimPrefix(name+"."+sub, "."), raw)
		}
	}
	walk("", template.Template.Mappings)
	return types
}

// A written is a line that we write, with all fields that it can have.
func written(t *testing.T) []map[string]any {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(accessLine(t))
	l := output.NewLog(&b, output.JSON)
	l.Lines(&output.Source{App: "shop", Environment: "production", ID: "ab12", Generation: 3, PID: 7}, output.Stdout, []byte("plain\n{\"msg\": \"paid\"}\n"))
	l.Close(time.Minute)
	events := filepath.Join(t.TempDir(), "security.log")
	log := slog.New(cli.LogFormat{LogFormat: "json", SecurityLog: events}.Watched(cli.Handler(&b, "json", "passenger-pool", slog.LevelInfo), "passenger-pool"))
	log.Error("restart failed", "app", "shop", "err", os.ErrExist, "pid", 7, "cause", "signal", "took", time.Second)
	log.Warn("call refused", security.CallRefused.Attr(), "user.id", "7", "user.name", "ann")
	b.WriteString(readText(t, events))
	var lines []map[string]any
	for text := range strings.Lines(b.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		lines = append(lines, line)
	}
	if len(lines) != 6 {
		t.Fatalf("got %d lines, want 6:\n%s", len(lines), b.String())
	}
	return lines
}

// accessLine is the line of a request of which all is known.
func accessLine(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access.log")
	l, err := accesslog.Open(path, accesslog.JSON)
	if err != nil {
		t.Fatal(err)
	}
	var r http1.Request
	r.Reset()
	if done, err := r.Parse([]byte("GET /cart?id=1 HTTP/1.1\r\nHost: a.test:8443\r\nReferer: http://x/\r\nUser-Agent: curl\r\n\r\n")); !done || err != nil {
		t.Fatal(done, err)
	}
	l.Add(&accesslog.Record{
		Request: &r, ID: []byte("4bf9"), Trace: []byte("4bf9"), Addr: []byte("192.0.2.7"), User: []byte("ann"), Began: time.Now(), Took: time.Second, Waited: time.Millisecond,
		TLS:    accesslog.NewTLS(tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, ServerName: "a.test", NegotiatedProtocol: "h2"}),
		Status: 200, Bytes: 5, App: "shop", Process: "ab12", PID: 7,
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.Run(ctx)
	return readText(t, path)
}

// takes says that Elasticsearch takes a value for a field of the type.
func takes(kind string, v any) bool {
	switch kind {
	case "date", "keyword", "wildcard", "match_only_text", "ip":
		_, ok := v.(string)
		return ok
	case "long", "double", "float":
		n, ok := v.(float64)
		return ok && (kind != "long" || n == float64(int64(n)))
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "flattened":
		_, ok := v.(map[string]any)
		return ok
	}
	return false
}

// Each field that we write is one of the Elastic Common Schema, of its type, or below
// "passenger."; and the template has it.
func TestLogsAreInTheElasticCommonSchema(t *testing.T) {
	t.Parallel()
	schema, template := ecsTypes(t), mapped(t)
	for _, line := range written(t) {
		for _, name := range []string{"@timestamp", "message", "ecs.version", "event.dataset", "service.name"} {
			if line[name] == nil {
				t.Errorf("%s is missing in %v", name, line)
			}
		}
		if line["ecs.version"] != output.ECSVersion {
			t.Errorf("got version %v in %v", line["ecs.version"], line)
		}
		if line["log.level"] == nil && line["event.dataset"] != "passenger.app" {
			t.Errorf("%v has no level", line)
		}
		for name, value := range line {
			if kind := template[name]; !takes(kind, one(value)) {
				t.Errorf("template: %s is %q, not for %v", name, kind, value)
			}
			if strings.HasPrefix(name, "passenger.") {
				continue
			}
			kind, isList := strings.CutSuffix(schema[name], " array")
			if _, list := value.([]any); !takes(kind, one(value)) || list != isList {
				t.Errorf("schema: %s is %q, not for %v", name, schema[name], value)
			}
		}
	}
}

// one is a value of a list, or v if that is none.
func one(v any) any {
	if list, ok := v.([]any); ok && len(list) > 0 {
		return list[0]
	}
	return v
}

func TestTemplateHasTheTypesOfTheSchema(t *testing.T) {
	t.Parallel()
	schema := ecsTypes(t)
	for name, kind := range mapped(t) {
		want, _ := strings.CutSuffix(schema[name], " array")
		if !strings.HasPrefix(name, "passenger.") && kind != want {
			t.Errorf("%s: got %s, the schema has %q", name, kind, want)
		}
	}
}

// Whatever a daemon says of an event has its place in the template.
func TestTemplateHasEveryAttributeOfTheLog(t *testing.T) {
	t.Parallel()
	template := mapped(t)
	keys := logKeys(t)
	if len(keys) < 50 {
		t.Fatalf("found %d attributes in the source", len(keys))
	}
	for key, where := range keys {
		var b bytes.Buffer
		slog.New(cli.Handler(&b, "json", "passenger-pool", slog.LevelInfo)).Info("x", key, "y")
		var line map[string]any
		if err := json.Unmarshal(b.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		for name := range line {
			if template[name] == "" {
				t.Errorf("%s: attribute %q is written as %s, which the template does not have", where, key, name)
			}
		}
	}
}

// logKeys are the attributes in calls of slog, with a place of each.
func logKeys(t *testing.T) map[string]token.Position {
	t.Helper()
	keys, files := map[string]token.Position{}, token.NewFileSet()
	for _, root := range []string{"../../lib", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					for _, key := range keysOf(call) {
						keys[key] = files.Position(call.Pos())
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

// keysOf are the names among the arguments of a call of slog: behind its message,
// which in Log is the third, and before a value.
func keysOf(call *ast.CallExpr) (keys []string) {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	from, ok := map[string]int{"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "Log": 3}[f.Sel.Name]
	if x, isName := f.X.(*ast.Ident); !ok || !isName || x.Name != "slog" {
		return nil
	}
	for i := from; i+1 < len(call.Args); i++ {
		if text, ok := call.Args[i].(*ast.BasicLit); ok && text.Kind == token.STRING {
			if key, err := strconv.Unquote(text.Value); err == nil {
				keys = append(keys, key)
				i++
			}
		}
	}
	return keys
}

// What Kibana shows has fields that are there, and finds what it refers to.
func TestKibanaObjectsAreWhole(t *testing.T) {
	t.Parallel()
	type object struct {
		Type, ID   string
		Attributes struct {
			Title, Description string
			Columns            []string
			KibanaSavedObject  struct{ SearchSourceJSON string } `json:"kibanaSavedObjectMeta"`
			PanelsJSON         string
		}
		References []struct{ Name, Type, ID string }
	}
	template, known := mapped(t), map[string]bool{}
	for text := range strings.Lines(readText(t, "elastic/kibana.ndjson")) {
		var o object
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for _, r := range o.References {
			if !known[r.Type+"/"+r.ID] {
				t.Errorf("%s: refers to %s %s, which is not before it", o.ID, r.Type, r.ID)
			}
		}
		known[o.Type+"/"+o.ID] = true
		names := o.Attributes.Columns
		if source := o.Attributes.KibanaSavedObject.SearchSourceJSON; source != "" {
			var s struct{ Query struct{ Query string } }
			if err := json.Unmarshal([]byte(source), &s); err != nil {
				t.Errorf("%s: %v", o.ID, err)
			}
			for _, m := range regexp.MustCompile(`([\w.]+) (?::|>=)`).FindAllStringSubmatch(s.Query.Query, -1) {
				names = append(names, m[1])
			}
		}
		for _, name := range names {
			if template[name] == "" {
				t.Errorf("%s: the template has no %s", o.ID, name)
			}
		}
		var panels []struct{ PanelRefName string }
		if p := o.Attributes.PanelsJSON; p != "" {
			if err := json.Unmarshal([]byte(p), &panels); err != nil || len(panels) != len(o.References) {
				t.Errorf("%s: got %d panels for %d references, %v", o.ID, len(panels), len(o.References), err)
			}
		}
	}
	if len(known) < 5 {
		t.Errorf("got %v", known)
	}
}

// Filebeat's file is YAML, Logstash's has its braces and Ruby in pairs, and all send to
// the streams that the template is for.
func TestShippersOfLogsParse(t *testing.T) {
	t.Parallel()
	var beat map[string]any
	if err := yaml.Unmarshal([]byte(readText(t, "elastic/filebeat.yml")), &beat); err != nil {
		t.Error(err)
	}
	if out, ok := beat["output.elasticsearch"].(map[string]any); !ok || out["index"] != "logs-%{[event.dataset]}-default" {
		t.Errorf("got output %v", beat["output.elasticsearch"])
	}
	stash := readText(t, "elastic/logstash.conf")
	code := regexp.MustCompile(`(?s)code => '(.*?)'`).FindStringSubmatch(stash)
	if code == nil || strings.Count(stash, "{") != strings.Count(stash, "}") || strings.Count(stash, `"`)%2 != 0 {
		t.Fatal("logstash.conf has no code, or a brace or quote without its other")
	}
	// What it does to an event, with a hash in the event's place.
	script := `require "json"
class Event
	def initialize(h) = @h = h
	def to_hash = @h.dup
	def remove(name) = @h.delete(name)
	def set(ref, v)
		*path, last = ref.scan(/[^\[\]]+/)
		path.reduce(@h) { |h, name| h[name] ||= {} }[last] = v
	end
end
event = Event.new(JSON.parse(ARGV[0]))
` + code[1] + `
print JSON.generate(event.to_hash)`
	out, err := exec.Command("ruby", "-e", script, `{"message":"m","a.b":1,"a.c.d":"x"}`).CombinedOutput()
	if want := `{"message":"m","a":{"b":1,"c":{"d":"x"}}}`; err != nil || string(out) != want {
		t.Errorf("got %s, %v, want %s", out, err, want)
	}
}
