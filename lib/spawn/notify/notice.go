package notify

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"passenger/lib/protocol"
	"passenger/lib/visible"
)

// A Notice is one message of a process.
type Notice struct {
	Ready       bool
	Report      *Report  // why the app did not load, else nil
	Warnings    []string // what is amiss, as sentences, though the app loads
	Concurrency int      // how many sessions it can take at once, 0 if it did not say
	SessionForm int      // the newest form of the session protocol that it knows, 0 if it did not say
}

// A Report is an adapter's word on why the app did not load. The app itself may
// have sent it: its words are bounded and made visible, and believed no further.
type Report struct {
	Category protocol.Category `json:"category"`
	Summary  string            `json:"summary"`
	Advice   string            `json:"advice"`
}

// Reportable are the categories that a report may have. The others are for what
// the spawner or the pool finds out itself.
var Reportable = []protocol.Category{
	protocol.CategoryConfig, protocol.CategoryInterpreter, protocol.CategoryPermission, protocol.CategoryDependency,
	protocol.CategorySyntax, protocol.CategoryApp, protocol.CategoryExit, protocol.CategoryPort, protocol.CategorySystem,
}

// parseReport reads the JSON of a report, nil if it is none. An unknown category
// becomes that of an error in the app.
func parseReport(text []byte) *Report {
	var r Report
	if json.Unmarshal(text, &r) != nil {
		return nil
	}
	r.Summary, r.Advice = oneLine(r.Summary), oneLine(r.Advice)
	if r.Summary == "" {
		return nil
	}
	if !slices.Contains(Reportable, r.Category) {
		r.Category = protocol.CategoryApp
	}
	return &r
}

// oneLine is an app's words as one line that is safe on a terminal.
func oneLine(s string) string { return visible.Line(strings.Join(strings.Fields(s), " ")) }

// ErrorKey introduces an adapter's reason why the app did not load: the JSON
// of a [Report].
const ErrorKey = "X_PASSENGER_ERROR="

// Keys of what an adapter says besides READY=1: what is amiss, as a sentence,
// how many sessions the process can take at once, and which form of them.
const (
	warningKey     = "X_PASSENGER_WARNING="
	concurrencyKey = "X_PASSENGER_CONCURRENCY="
	formKey        = "X_PASSENGER_SESSION="
)

const (
	// mostWarnings is how many warnings of one process are kept, and maxWarning
	// the longest, in bytes.
	MostWarnings = 16
	maxWarning   = 1 << 10

	// mostConcurrency is the most sessions at once that a process is believed
	// to take.
	MostConcurrency = 1 << 20
)

func Parse(b []byte) (Notice, bool) {
	var v Notice
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		if bytes.Equal(line, []byte("READY=1")) {
			v.Ready = true
		}
		if text, ok := bytes.CutPrefix(line, []byte(ErrorKey)); ok {
			if r := parseReport(text); r != nil {
				v.Report = r
			}
		}
		if text, ok := bytes.CutPrefix(line, []byte(warningKey)); ok {
			v.Warnings = AddWarnings(v.Warnings, oneLine(string(text[:min(len(text), maxWarning)])))
		}
		if text, ok := bytes.CutPrefix(line, []byte(concurrencyKey)); ok {
			if n, err := strconv.Atoi(string(text)); err == nil && n > 0 {
				v.Concurrency = min(n, MostConcurrency)
			}
		}
		if bytes.Equal(line, []byte(formKey+"2")) {
			v.SessionForm = max(v.SessionForm, protocol.SessionApart)
		}
		if bytes.Equal(line, []byte(formKey+"3")) {
			v.SessionForm = protocol.SessionAhead
		}
	}
	return v, v.Ready || v.Report != nil || v.Warnings != nil
}

// AddWarnings adds those that are new, up to [MostWarnings].
func AddWarnings(all []string, more ...string) []string {
	for _, w := range more {
		if w != "" && len(all) < MostWarnings && !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	return all
}
