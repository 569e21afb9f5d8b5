package output

import (
	"bytes"
	"fmt"
	"sync"
	"time"
)

// A Rate is how much one app may write into a log that it shares with others,
// all its processes together. The zero Rate is no limit.
type Rate struct {
	Lines int // a second, 0 for any number
	Bytes int // a second, 0 for any number
}

const (
	// rateBurst is how long an app that was quiet may write at once what it may
	// write in all that time.
	rateBurst = 10 * time.Second

	// tellEvery is how often the log speaks of what one app writes too much.
	tellEvery = 10 * time.Second
)

// A limit keeps apps to a rate, each by itself.
type limit struct {
	rate Rate

	mu   sync.Mutex // guards apps
	apps map[string]*allowance
}

// An allowance is what one app may still write.
type allowance struct {
	lines, bytes time.Time // when what was written is paid for
	dropped      uint64    // lines, in all
	told         uint64    // of those, the ones that the log has spoken of
	toldAt       time.Time
}

// take returns as many of the whole lines in text as the app may write now, and
// what the log is to say of those that it may not; empty for nothing.
func (l *limit) take(app string, now time.Time, text []byte) (taken []byte, tell string) {
	if l.rate == (Rate{}) {
		return text, ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.apps[app]
	if a == nil {
		a = &allowance{}
		if l.apps == nil {
			l.apps = map[string]*allowance{}
		}
		l.apps[app] = a
	}
	for rest := text; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		if !a.pays(l.rate, now, end) {
			a.dropped += uint64(bytes.Count(rest, []byte("\n")))
			return text[:len(text)-len(rest)], a.tell(app, l.rate, now)
		}
		rest = rest[end:]
	}
	return text, a.tell(app, l.rate, now)
}

// pays says whether a line of n bytes is within the rate, and counts it then.
func (a *allowance) pays(r Rate, now time.Time, n int) bool {
	full := now.Add(-rateBurst)
	a.lines, a.bytes = later(a.lines, full), later(a.bytes, full)
	if r.Lines > 0 && a.lines.After(now) || r.Bytes > 0 && a.bytes.After(now) {
		return false
	}
	if r.Lines > 0 {
		a.lines = a.lines.Add(time.Second / time.Duration(r.Lines))
	}
	if r.Bytes > 0 {
		a.bytes = a.bytes.Add(time.Duration(n) * time.Second / time.Duration(r.Bytes))
	}
	return true
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// tell is what the log says of lines that were dropped, now and then.
func (a *allowance) tell(app string, r Rate, now time.Time) string {
	n := a.dropped - a.told
	if n == 0 || now.Sub(a.toldAt) < tellEvery {
		return ""
	}
	a.told, a.toldAt = a.dropped, now
	return fmt.Sprintf("app %q writes more than %d lines or %d bytes a second: %d lines dropped since this was last said", app, r.Lines, r.Bytes, n)
}

// dropped is how many lines of each app were, of those that were over the rate.
func (l *limit) dropped() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	dropped := map[string]uint64{}
	for app, a := range l.apps {
		if a.dropped > 0 {
			dropped[app] = a.dropped
		}
	}
	return dropped
}
