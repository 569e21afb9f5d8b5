package http1

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/differences.tsv")

// A corpusCase is a line of cases.jsonl: bytes that another project tests its
// parser with, and what that parser makes of them.
type corpusCase struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Bytes  []byte `json:"b64"`
	Title  string `json:"title"`
	Expect struct {
		Class string         `json:"class"`
		Tier  string         `json:"tier"`
		Cfg   map[string]any `json:"gunicorn_cfg"`
	} `json:"expect"`
}

func (c *corpusCase) response() bool {
	return c.Type == "response" || strings.Contains(c.ID, "/response/")
}

func corpus(t testing.TB) []corpusCase {
	t.Helper()
	var list []corpusCase
	files, err := filepath.Glob("testdata/*/cases.jsonl")
	if err != nil || len(files) != 4 {
		t.Fatalf("got %d corpora (%v), want 4", len(files), err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var c corpusCase
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			// Header lines alone are no message, and a case that holds only
			// with a setting of another server says nothing of ours.
			if !strings.Contains(c.ID, "/headers/") && len(c.Expect.Cfg) == 0 {
				list = append(list, c)
			}
		}
	}
	return list
}

// outcome says what becomes of a connection on which b is sent: "accept",
// "incomplete" or "reject: …".
func outcome(b []byte, response bool) string {
	for len(b) > 0 {
		n, err := message(b, response)
		if err != nil {
			return "reject: " + err.Error()
		}
		if n == 0 {
			return "incomplete"
		}
		b = b[n:]
	}
	return "accept"
}

// message reads one message and returns its length, 0 if it is incomplete.
func message(b []byte, response bool) (int, error) {
	var head *Head
	var done bool
	var err error
	body := true
	if response {
		var r Response
		r.Reset()
		done, err = r.Parse(b)
		head = &r.Head
		kind := r.Body(false)
		body = kind == ChunkedEnd || kind == Sized
		if done && kind == UntilClose || r.Status == 101 {
			return len(b), nil
		}
	} else {
		var r Request
		r.Reset()
		done, err = r.Parse(b)
		head = &r.Head
		if done && r.AsksUpgrade {
			return len(b), err
		}
	}
	if err != nil || !done {
		return 0, err
	}
	n := head.Len
	switch {
	case !body:
	case head.Chunked:
		var c Chunked
		_, total, err := c.Scan(b[n:])
		if err != nil || !c.Done() {
			return 0, err
		}
		n += total
	case head.ContentLength > 0:
		if n += int(head.ContentLength); n > len(b) || n < 0 {
			return 0, nil
		}
	}
	return n, nil
}

// replay runs a case. A request of HTTP/1.1 that fails only for want of a Host
// gets one: most projects test their parser without.
func replay(c corpusCase) string {
	b := c.Bytes
	got := outcome(b, c.response())
	for range 8 {
		if got != "reject: "+errNoHost.Reason {
			break
		}
		// Into the first message that lacks one: others passed.
		at := 0
		for {
			n, err := message(b[at:], false)
			if err != nil || n == 0 {
				break
			}
			at += n
		}
		line := bytes.Index(b[at:], []byte("\r\n"))
		for line == 0 {
			at += 2
			line = bytes.Index(b[at:], []byte("\r\n"))
		}
		b = slices.Insert(bytes.Clone(b), at+line+2, []byte("Host: "+hostOf(b[at:at+line])+"\r\n")...)
		got = outcome(b, false)
	}
	return got
}

// hostOf is the host that goes with a request line: its own if it names one.
func hostOf(line []byte) string {
	if _, rest, ok := strings.Cut(string(line), "http://"); ok {
		rest = rest[:strings.IndexAny(rest+" ", "/? ")]
		return rest[strings.IndexByte(rest, '@')+1:]
	}
	return "corpus.test"
}

// agrees says whether our outcome is what the corpus expects.
func agrees(c corpusCase, got string) bool {
	class, _, _ := strings.Cut(got, ":")
	switch c.Expect.Class {
	case "accept-or-reject":
		return true
	case "accept":
		// The corpora often leave the body out.
		return class == "accept" || class == "incomplete"
	case "lenient-only", "reject-or-close":
		return class == "reject"
	}
	return class == c.Expect.Class
}

// Where we differ from another parser, testdata/differences.tsv says so and
// why: a line of ID, what it expects, what we do, the reason.
func TestCorporaAgreeButForKnownDifferences(t *testing.T) {
	const file = "testdata/differences.tsv"
	known := map[string][]string{}
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 4 {
			known[f[0]] = f
		}
	}
	found := map[string][]string{}
	for _, c := range corpus(t) {
		if got := replay(c); !agrees(c, got) {
			found[c.ID] = []string{c.ID, c.Expect.Class, got, ""}
		}
	}
	for id, f := range found {
		k := known[id]
		if k != nil {
			f[3] = k[3]
		}
		if *update {
			continue
		}
		if k == nil || k[2] != f[2] {
			t.Errorf("%s: got %q, want %s or a line in %s", id, f[2], f[1], file)
		} else if f[3] == "" {
			t.Errorf("%s: no reason given in %s", id, file)
		}
	}
	for id := range known {
		if found[id] == nil && !*update {
			t.Errorf("%s: no longer a difference; remove it from %s", id, file)
		}
	}
	if *update {
		var b strings.Builder
		for _, id := range slices.Sorted(maps.Keys(found)) {
			fmt.Fprintln(&b, strings.Join(found[id], "\t"))
		}
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A head's parts may come in any pieces.
func TestCorporaParseTheSameByteByByte(t *testing.T) {
	for _, c := range corpus(t) {
		if c.response() {
			continue
		}
		var whole, pieces Request
		whole.Reset()
		pieces.Reset()
		done, err := whole.Parse(c.Bytes)
		var done2 bool
		var err2 error
		for n := 1; n <= len(c.Bytes) && !done2 && err2 == nil; n++ {
			// A copy, so that bytes behind are not seen by mistake.
			done2, err2 = pieces.Parse(bytes.Clone(c.Bytes[:n]))
		}
		if done != done2 || (err == nil) != (err2 == nil) {
			t.Errorf("%s: got %v, %v byte by byte, want %v, %v", c.ID, done2, err2, done, err)
		}
		if done && err == nil && err2 == nil && (whole.Len != pieces.Len || whole.Count() != pieces.Count()) {
			t.Errorf("%s: got length %d and %d fields, want %d and %d", c.ID, pieces.Len, pieces.Count(), whole.Len, whole.Count())
		}
	}
}
