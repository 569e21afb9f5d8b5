package testscripts

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// An elastic answers _bulk in Elasticsearch's place. It is stricter: it takes no
// field that its template does not map.
type elastic struct {
	patterns []string
	root     mapping

	mu              sync.Mutex // guards the files
	taken, rejected string     // paths
}

// A mapping is a field, or an object of them.
type mapping struct {
	Type       string
	Properties map[string]mapping
}

// cmdElastic starts an elastic with an index template: elastic PORT TEMPLATE. It
// writes the documents that it takes to taken.ndjson, each behind its index, and those that it does not to
// rejected.ndjson, behind the reason.
func cmdElastic(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: elastic PORT TEMPLATE")
	}
	var t struct {
		Patterns []string `json:"index_patterns"`
		Template struct{ Mappings mapping }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &t))
	e := &elastic{patterns: t.Patterns, root: t.Template.Mappings, taken: ts.MkAbs("taken.ndjson"), rejected: ts.MkAbs("rejected.ndjson")}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", args[0]))
	ts.Check(err)
	server := httptest.NewUnstartedServer(e)
	server.Listener.Close()
	server.Listener = l
	server.Start()
	ts.Defer(server.Close)
}

func (e *elastic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path != "/_bulk" {
		fmt.Fprint(w, `{"cluster_name":"stub","status":"green"}`)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it went away
	}
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	items, failed := []any{}, false
	for ; len(lines) >= 2; lines = lines[2:] {
		item := map[string]any{"status": http.StatusCreated}
		if err := e.take(lines[0], lines[1]); err != nil {
			failed = true
			item = map[string]any{"status": http.StatusBadRequest, "error": map[string]string{"type": "document_parsing_exception", "reason": err.Error()}}
		}
		items = append(items, map[string]any{"create": item})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"took": 1, "errors": failed, "items": items})
}

// take writes the document down, or says why it is none for its index.
func (e *elastic) take(action, document string) error {
	index, err := e.check(action, document)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		return appendLine(e.rejected, err.Error()+" "+document, err)
	}
	return appendLine(e.taken, index+" "+document, nil)
}

// appendLine appends to the file, and returns err if that went well.
func appendLine(path, line string, err error) error {
	f, failed := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if failed != nil {
		return failed
	}
	defer f.Close()
	if _, failed := f.WriteString(line + "\n"); failed != nil {
		return failed
	}
	return err
}

func (e *elastic) check(action, document string) (index string, err error) {
	var do struct {
		Create *struct {
			Index string `json:"_index"`
			Type  string `json:"_type"`
		}
	}
	if err := json.Unmarshal([]byte(action), &do); err != nil || do.Create == nil || do.Create.Type != "" {
		return "", fmt.Errorf("a data stream takes {\"create\": {\"_index\": …}}, not %s", action)
	}
	matches := false
	for _, p := range e.patterns {
		ok, _ := path.Match(p, do.Create.Index) // a pattern of ours
		matches = matches || ok
	}
	if !matches {
		return "", fmt.Errorf("index %q is not for the template", do.Create.Index)
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(document), &fields); err != nil {
		return "", err
	}
	if fields["@timestamp"] == nil {
		return "", fmt.Errorf("no @timestamp")
	}
	return do.Create.Index, e.root.checkAll("", fields)
}

func (m mapping) checkAll(prefix string, fields map[string]any) error {
	for name, v := range fields {
		at := m
		for part := range strings.SplitSeq(name, ".") {
			at = at.Properties[part]
		}
		if err := at.check(prefix+name, v); err != nil {
			return err
		}
	}
	return nil
}

func (m mapping) check(name string, v any) error {
	if fields, ok := v.(map[string]any); ok && m.Type != "flattened" {
		if m.Properties == nil {
			return fmt.Errorf("%s: an object for %q", name, m.Type)
		}
		return m.checkAll(name+".", fields)
	}
	if list, ok := v.([]any); ok {
		for _, v := range list {
			if err := m.check(name, v); err != nil {
				return err
			}
		}
		return nil
	}
	if v != nil && !m.takes(v) {
		return fmt.Errorf("%s: %v for type %q", name, v, m.Type)
	}
	return nil
}

// takes says that a value is one of the type; a keyword may be any.
func (m mapping) takes(v any) (ok bool) {
	text, isText := v.(string)
	switch m.Type {
	case "keyword", "wildcard", "match_only_text", "constant_keyword":
		return true
	case "long":
		n, isNumber := v.(float64)
		return isNumber && n == float64(int64(n))
	case "double":
		_, ok = v.(float64)
	case "boolean":
		_, ok = v.(bool)
	case "flattened":
		_, ok = v.(map[string]any)
	case "ip":
		_, err := netip.ParseAddr(text)
		return isText && err == nil
	case "date":
		_, err := time.Parse(time.RFC3339, text)
		return isText && err == nil
	}
	return ok
}
