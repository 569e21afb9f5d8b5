// Package migrate reads the settings of other application servers and makes ours
// of them. Nothing of a file is dropped in silence: a [Report] tells of each line
// what became of it.
//
// A reader makes items of a file, which are settings with the lines that they
// stand on. Tables of rules say of each item what takes its place. What no rule
// knows, and what no reader understood, is told by name, too.
package migrate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"passenger/lib/protocol"
)

// Formats are the kinds of files that [Read] knows, as people name them.
var Formats = []string{"unit", "uwsgi", "puma", "gunicorn", "pm2", "procfile", "nginx", "apache", "passenger"}

// ErrFormat says that nothing tells the format of a file.
var ErrFormat = errors.New("neither its name nor its text is of a format that is known")

// Bounds of a file. Settings are smaller by far.
const (
	maxText   = 512 << 10 // bytes
	maxLines  = 10_000
	maxLeaves = 4000 // single values
	maxDepth  = 64   // of values in values
)

// An Input is a file with the settings of another server.
type Input struct {
	// Path is absolute.
	Path string

	// Root is where an app lies unless the file says otherwise. Empty is for the
	// file's own directory.
	Root string

	// Format is one of Formats; empty to find it by the name and the text.
	Format string

	Text []byte

	// Exists says whether there is a file or a directory at an absolute path. Nil
	// is for a machine that has none of the app's.
	Exists func(path string) bool
}

// A Report is what became of a file.
type Report struct {
	Format string

	// Apps are settings that pass the settings' own check, but that their
	// directories may not be on this machine. Their names differ.
	Apps []protocol.AppConfig

	// Notes tell of every line that has more than a comment, in order.
	Notes []Note
}

// A Note is what became of one thing in a file.
type Note struct {
	Line, End int    // counted from 1; the lines from Line to End
	Name      string // as the file has it
	Fate      Fate
	Text      string // the settings that it became, or why none, and what to do
}

// A Fate is what became of a setting.
type Fate uint8

const (
	Became    Fate = iota // settings of ours, which the note names
	Automatic             // nothing has to be done for it here
	ByHand                // somebody has to do what the note says
)

// readers make apps and notes of a file of each format.
var readers = map[string]func(*reading) error{
	"unit": readUnit, "uwsgi": readUWSGI, "puma": readPuma, "gunicorn": readGunicorn, "pm2": readPM2,
	"procfile": readProcfile, "nginx": readNginx, "apache": readApache, "passenger": readPassengerfile,
}

// Read reads one file. The error says that the file cannot be read as one of its
// format, and on which line.
func Read(in Input) (*Report, error) {
	text := bytes.TrimPrefix(in.Text, []byte("\ufeff"))
	switch {
	case len(text) > maxText:
		return nil, fmt.Errorf("larger than %d bytes; it is not a file of settings", maxText)
	case bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")):
		return nil, errors.New("it is in UTF-16; save it as UTF-8")
	case bytes.IndexByte(text, 0) >= 0:
		return nil, errors.New("it has a NUL byte; it is not a file of settings")
	}
	r := &reading{Input: in, text: strings.ReplaceAll(string(text), "\r\n", "\n")}
	r.lines = strings.Split(r.text, "\n")
	if len(r.lines) > maxLines {
		return nil, fmt.Errorf("more than %d lines; it is not a file of settings", maxLines)
	}
	r.told, r.opened = make([]bool, len(r.lines)), map[int]bool{}
	if r.Format == "" {
		r.Format = formatOf(in.Path, r.text)
	}
	read := readers[r.Format]
	if read == nil {
		return nil, ErrFormat
	}
	if err := read(r); err != nil {
		return nil, err
	}
	return r.finish(), nil
}

// A reading is one file while it is read.
type reading struct {
	Input
	text   string
	lines  []string
	told   []bool       // by line, from 0: that a note tells of it, or that it needs none
	opened map[int]bool // by line, from 1: see opens
	leaves []*value
	drafts []*draft
	notes  []Note
}

// finish tells of what nothing has told of, and of the apps.
func (r *reading) finish() *Report {
	for _, v := range r.leaves {
		if !v.told {
			r.note(item{name: v.name(), line: v.line, value: v}, ByHand, "nothing here takes its place")
		}
	}
	r.sweep()
	report := &Report{Format: r.Format}
	for _, d := range r.drafts {
		if config, ok := d.finish(report.Apps); ok {
			report.Apps = append(report.Apps, config)
		}
	}
	slices.SortStableFunc(r.notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Text, b.Text))
	})
	report.Notes = slices.Compact(r.notes)
	return report
}

// sweep tells of the lines that no reader understood.
func (r *reading) sweep() {
	for i, line := range r.lines {
		if r.told[i] || strings.TrimSpace(line) == "" {
			continue
		}
		if r.opened[i+1] {
			if !strings.ContainsAny(line, "{[(") && !strings.HasSuffix(strings.TrimSpace(line), ":") {
				r.note(item{name: shortened(strings.TrimSpace(line)), line: i + 1}, Automatic, "the notes below tell of what is inside")
			}
			continue
		}
		r.note(item{name: shortened(strings.TrimSpace(line)), line: i + 1}, ByHand, "not understood; look at what it is for")
	}
}

// opens says of a line that it only opens what notes of its own tell of.
func (r *reading) opens(line int) { r.opened[line] = true }

// skip says of lines that they need no note: comments, and what only closes others.
func (r *reading) skip(from, to int) {
	for i := max(from, 1); i <= min(to, len(r.told)); i++ {
		r.told[i-1] = true
	}
}

// skipClosing skips those of the lines that only close what others opened.
func (r *reading) skipClosing(from, to int) {
	for i := max(from, 1); i <= min(to, len(r.lines)); i++ {
		if strings.Trim(r.lines[i-1], "{}[](),; \t\r") == "" {
			r.skip(i, i)
		}
	}
}

// note tells what became of an item.
func (r *reading) note(it item, fate Fate, text string) {
	end := it.line
	if it.value != nil {
		end = max(end, it.value.end)
		it.value.tell()
	}
	r.skip(it.line, end)
	r.notes = append(r.notes, Note{Line: it.line, End: end, Name: it.name, Fate: fate, Text: text})
}

// notef is note with a format.
func (r *reading) notef(it item, fate Fate, format string, args ...any) {
	r.note(it, fate, fmt.Sprintf(format, args...))
}

// exists says whether there is a file or directory.
func (r *reading) exists(path string) bool {
	return r.Exists != nil && filepath.IsAbs(path) && r.Exists(path)
}

// dir is where an app lies: beside the file, or above where that is in a directory
// of settings.
func (r *reading) dir() string {
	if r.Root != "" {
		return r.Root
	}
	dir := filepath.Dir(r.Path)
	if base := filepath.Base(dir); base == "config" || base == "conf" || base == "deploy" {
		return filepath.Dir(dir)
	}
	return dir
}

// shortened is the beginning of a text that is told of.
func shortened(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "..."
	}
	return s
}
