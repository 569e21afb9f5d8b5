// Package page writes the answers of the proxy itself: as HTML, JSON or text,
// whichever the client likes best.
package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"strconv"
	"time"

	"passenger/lib/http1"
	"passenger/lib/protocol"
	"passenger/lib/proxy/files"
	"passenger/lib/spawnerror"
)

// A Page is an answer of the proxy itself. It is also what is sent as JSON.
type Page struct {
	Status  int                  `json:"status"`
	Message string               `json:"message"`
	ID      string               `json:"request_id"`
	Error   *protocol.SpawnError `json:"error,omitempty"`
	Next    string               `json:"next,omitempty"` // when the app is started again

	Retry int         // seconds, for Retry-After; 0 for none
	Own   files.Place // of the app's own page, sent as HTML; zero for none
}

// Render makes the body. As HTML it is the app's own page, if there is one.
func (p *Page) Render(f Form) (kind string, body []byte) {
	switch f {
	case JSON:
		b, err := json.Marshal(p)
		if err != nil {
			b = []byte(strconv.Quote(p.Message))
		}
		return "application/json", append(b, '\n')
	case Text:
		return "text/plain; charset=utf-8", p.text()
	}
	if own := p.readOwn(); own != nil {
		return "text/html; charset=utf-8", own
	}
	return "text/html; charset=utf-8", p.html()
}

// MaxOwnPage bounds an app's page: it is read for each answer. A longer one is
// none.
const MaxOwnPage = 1 << 20

// readOwn returns the app's own page, nil if it has none or the details of an error are
// to be shown.
func (p *Page) readOwn() []byte {
	if p.Own.Path == "" || p.Error != nil {
		return nil
	}
	f, err := p.Own.OpenFile(time.Now())
	if err != nil {
		return nil // ours does
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxOwnPage+1))
	if err != nil || len(b) > MaxOwnPage {
		return nil
	}
	return b
}

func (p *Page) text() []byte {
	b := fmt.Appendf(nil, "%d %s\n\n%s\nRequest ID: %s\n", p.Status, http.StatusText(p.Status), p.Message, p.ID)
	if e := p.Error; e != nil {
		b = fmt.Appendf(b, "\n%s\n%s\n%s\n\n%s", e.Summary, e.Advice, p.Next, spawnerror.Text(e))
	}
	return b
}

const pageHead = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>%[1]d %[2]s</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:48em;margin:10vh auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.4em}small,th{color:#666}pre{background:#f4f4f4;padding:1em;overflow:auto}td,th{text-align:left;padding-right:1em}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}pre{background:#222}small,th{color:#999}}</style>
</head><body>
<h1>%[1]d %[2]s</h1>
<p>%[3]s</p>
`

func (p *Page) html() []byte {
	if p.Error != nil {
		return spawnerror.Page{Error: p.Error, Status: p.Status, RequestID: p.ID, Next: p.Next}.HTML()
	}
	b := fmt.Appendf(nil, pageHead, p.Status, http.StatusText(p.Status), html.EscapeString(p.Message))
	return fmt.Appendf(b, "<p><small>Request ID: %s</small></p>\n</body></html>\n", html.EscapeString(p.ID))
}

// A Form is how a page of ours is written.
type Form uint8

const (
	HTML Form = iota
	JSON
	Text
)

// Wanted is the form of pages that a request's Accept likes best, of equals
// the first in the order above. Without preference it is HTML, but for a request
// that brings JSON itself.
func Wanted(q *http1.Request) Form {
	best, most := HTML, 0
	for list := q.Find(http1.Accept); len(list) > 0; {
		var element []byte
		element, list = http1.NextToken(list)
		f, ok := formOf(element)
		if weight := weightOf(element); ok && (weight > most || weight == most && f < best) {
			best, most = f, weight
		}
	}
	if most == 0 {
		if f, ok := formOf(q.Find(http1.ContentType)); ok && f == JSON {
			return JSON
		}
	}
	return best
}

// formOf is the form of a media type. ok is false for those that pages do not
// have, and for all of them together.
func formOf(kind []byte) (f Form, ok bool) {
	kind, _, _ = bytes.Cut(kind, []byte{';'})
	kind = bytes.ToLower(bytes.TrimSpace(kind))
	switch {
	case string(kind) == "text/html", string(kind) == "application/xhtml+xml", string(kind) == "text/*":
		return HTML, true
	case string(kind) == "application/json", string(kind) == "application/*", bytes.HasSuffix(kind, []byte("+json")):
		return JSON, true
	case string(kind) == "text/plain":
		return Text, true
	}
	return HTML, false
}

// weightOf is the weight of an element of a list, in thousandths: RFC 9110,
// 12.4.2. A weight that is no number counts as 0.
func weightOf(element []byte) int {
	_, parameters, _ := bytes.Cut(element, []byte{';'})
	for len(parameters) > 0 {
		var p []byte
		p, parameters, _ = bytes.Cut(parameters, []byte{';'})
		name, value, _ := bytes.Cut(bytes.TrimSpace(p), []byte{'='})
		if !http1.EqualFold(bytes.TrimSpace(name), "q") {
			continue
		}
		weight, unit := 0, 1000
		for i, c := range bytes.TrimSpace(value) {
			switch {
			case c >= '0' && c <= '9' && i != 1 && unit > 0:
				weight += int(c-'0') * unit
				unit /= 10
			case c != '.' || i != 1:
				return 0
			}
		}
		return min(weight, 1000)
	}
	return 1000
}
