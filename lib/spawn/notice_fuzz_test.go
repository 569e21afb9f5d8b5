package spawn

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"passenger/lib/protocol"
	"passenger/lib/spawn/diagnosis"
	"passenger/lib/spawn/notify"
	"passenger/lib/spawn/plan"
	"passenger/lib/spawnerror"
	"passenger/lib/visible"
)

// FuzzNotice takes any message that an app may send through all that is done
// with it.
func FuzzNotice(f *testing.F) {
	for _, s := range []string{
		"READY=1",
		"READY=1\nX_PASSENGER_WARNING=a thread runs\nX_PASSENGER_CONCURRENCY=16",
		`X_PASSENGER_ERROR={"category":"app","summary":"Two words.","advice":"Do it."}`,
		`X_PASSENGER_ERROR={"category":"app","summary":" two words","advice":""}`,
		`X_PASSENGER_ERROR={"category":"nonsense","summary":"x","advice":"  \r\n  a\u202eb "}`,
		`X_PASSENGER_ERROR={"category":"app","summary":"\u0000 \u001b[2J Ä b","advice":". ."}`,
		`X_PASSENGER_ERROR={"category":"app","summary":"Ärger mit x","advice":"\ud800 x"}`,
		`X_PASSENGER_ERROR={"summary":" ","advice":" "}`,
		"X_PASSENGER_ERROR=null", "X_PASSENGER_WARNING=\xff \xfe", "X_PASSENGER_CONCURRENCY=99999999999999999999",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		n, ok := notify.Parse(message)
		if !ok {
			return
		}
		if n.Concurrency < 0 || n.Concurrency > notify.MostConcurrency || len(n.Warnings) > notify.MostWarnings {
			t.Errorf("got a concurrency of %d, %d warnings", n.Concurrency, len(n.Warnings))
		}
		for _, w := range n.Warnings {
			isSentence(t, "warning", w)
		}
		if n.Report == nil {
			return
		}
		d := diagnosis.Of(diagnosis.Symptoms{Report: n.Report})
		if !slices.Contains(notify.Reportable, d.Category) {
			t.Errorf("got category %q", d.Category)
		}
		e := &protocol.SpawnError{
			Category: d.Category, Summary: d.Summary, Advice: d.Advice, App: "shop", At: time.Unix(0, 0).UTC(),
			Output: strings.Split(string(message), "\n"), Stack: []string{string(message)}, Phases: []protocol.Phase{},
		}
		hide(e, &plan.Plan{Env: map[string]string{"PASSWORD": "two words"}})
		show(e)
		isSentence(t, "summary", e.Summary)
		isSentence(t, "advice", e.Advice)
		if text := spawnerror.Text(e); visible.Text(text) != text {
			t.Errorf("the text is %q", text)
		}
		if page := (spawnerror.Page{Error: e, Status: 503}).HTML(); !utf8.Valid(page) || bytes.Contains(page, []byte("<script")) {
			t.Errorf("the page is %q", page)
		}
		var back protocol.SpawnError
		text, err := json.Marshal(asReply(e))
		if err == nil {
			err = json.Unmarshal(text, &struct{ Details *protocol.SpawnError }{&back})
		}
		if err != nil || back.Summary != e.Summary || back.Advice != e.Advice || back.Category != e.Category {
			t.Errorf("got %q, %v from JSON, want %q", back.Summary, err, e.Summary)
		}
	})
}

// isSentence says that s is one line that a terminal may be shown.
func isSentence(t *testing.T, what, s string) {
	t.Helper()
	bad := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
	if !utf8.ValidString(s) || strings.ContainsFunc(s, bad) || s != strings.TrimSpace(s) {
		t.Errorf("%s: got %q", what, s)
	}
}
