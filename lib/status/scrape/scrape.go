// Package scrape joins what the daemons tell at GET /metrics into one text, and
// reads from it what a dashboard shows. The text is Prometheus' format 0.0.4.
package scrape

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/status"
)

// Ask asks all parts at once and joins what they say. A part that gives no answer
// has passenger_up 0.
func Ask(ctx context.Context, c status.Caller, dir statedir.Dir) []byte {
	daemons := []string{statedir.Spawn, statedir.Pool, statedir.Proxy}
	parts := make([]Part, len(daemons))
	var wg sync.WaitGroup
	for i, daemon := range daemons {
		wg.Go(func() {
			ctx, cancel := c.Bound(ctx)
			defer cancel()
			text, err := control.NewClient(dir.Socket(daemon), c.Program, c.Release).Text(ctx, protocol.PathMetrics)
			parts[i] = Part{Name: daemon, Up: err == nil, Text: text}
		})
	}
	wg.Wait()
	return Join(parts)
}

// A Part is what one daemon tells.
type Part struct {
	Name string
	Up   bool
	Text []byte // nothing unless Up
}

// up is the family that says which parts answered.
const up = "passenger_up"

// A family is a metric with all its samples.
type family struct {
	head    []byte // its HELP and TYPE lines
	samples []byte
}

// A text is families in the order in which they came.
type text struct {
	order    []string
	families map[string]*family
}

// Join puts the texts of all parts together: each family once, with the samples
// of all. Whether a part is up is told here, and not by itself.
func Join(parts []Part) []byte {
	joined := text{families: map[string]*family{}}
	ups := joined.family(up)
	ups.head = []byte("# HELP passenger_up 1 while the daemon answers.\n# TYPE passenger_up gauge\n")
	for _, p := range parts {
		value := 0
		if p.Up {
			value = 1
		}
		ups.samples = fmt.Appendf(ups.samples, "%s{part=%q} %d\n", up, p.Name, value)
		joined.add(p.Text)
	}
	return joined.bytes()
}

func (t *text) family(name string) *family {
	f := t.families[name]
	if f == nil {
		f = &family{}
		t.families[name] = f
		t.order = append(t.order, name)
	}
	return f
}

// add adds the families of another text but for that of [up].
func (t *text) add(lines []byte) {
	var at *family
	var name string
	whole := false // the family had a head before this text
	for line := range bytes.Lines(lines) {
		if kind, of := comment(line); kind != "" {
			if of != name {
				name, at = of, t.family(of)
				whole = len(at.head) > 0
			}
			if !whole {
				at.head = append(at.head, line...)
			}
			continue
		}
		if at != nil && name != up && len(bytes.TrimSpace(line)) > 0 {
			at.samples = append(at.samples, line...)
		}
	}
}

// comment reads a line "# HELP name …" or "# TYPE name …".
func comment(line []byte) (kind, name string) {
	for _, kind := range []string{"HELP", "TYPE"} {
		if rest, ok := bytes.CutPrefix(line, []byte("# "+kind+" ")); ok {
			name, _, _ := strings.Cut(strings.TrimSpace(string(rest)), " ")
			return kind, name
		}
	}
	return "", ""
}

func (t *text) bytes() []byte {
	var b bytes.Buffer
	for _, name := range t.order {
		f := t.families[name]
		if len(f.samples) == 0 {
			continue
		}
		b.Write(f.head)
		b.Write(f.samples)
		if !bytes.HasSuffix(f.samples, []byte("\n")) {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// Only keeps the samples that are of one of the apps, and which parts are up.
func Only(metrics []byte, mine func(app string) bool) []byte {
	kept := text{families: map[string]*family{}}
	var at *family
	for line := range bytes.Lines(metrics) {
		if kind, of := comment(line); kind != "" {
			at = kept.family(of)
			at.head = append(at.head, line...)
			continue
		}
		s, ok := Parse(line)
		if ok && at != nil && (s.Name == up || s.Labels["app"] != "" && mine(s.Labels["app"])) {
			at.samples = append(at.samples, line...)
		}
	}
	return kept.bytes()
}
