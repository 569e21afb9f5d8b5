package spawnerror

import (
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/visible"
)

//go:embed page.css
var style string

// A Page is a spawn error for the browser.
type Page struct {
	Error *protocol.SpawnError

	// Status is the answer's HTTP status, such as 503; 0 for a page that is no
	// answer.
	Status int

	// RequestID is that of the request that it answers, empty for none.
	RequestID string

	// Next says what comes next; see [Next]. Empty for a page that is no
	// answer.
	Next string
}

// Next says when the app is started again after a failure, and how to have that
// at once; atRequest says that a request does it.
func Next(app string, at, now time.Time, atRequest bool) string {
	text := "The app is being started again now."
	if wait := at.Sub(now).Round(time.Second); wait > 0 {
		text = fmt.Sprintf("The next try is in %v, at %s.", wait, at.UTC().Format("15:04:05 MST"))
	}
	if atRequest {
		text += " Load the page again to try at once."
	}
	return text + fmt.Sprintf(` "passenger restart" or "passenger-pool restart %s" tries now.`, app)
}

// HTML returns the page. It needs nothing but itself: no script, no other file.
func (p Page) HTML() []byte {
	e := p.Error
	b := markup{}
	b.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>")
	b.text(e.App + " did not start")
	b.raw("</title>\n<style>\n", style, "</style>\n</head>\n<body>\n<main>\n<header>\n<p>")
	if p.Status != 0 {
		b.text(strconv.Itoa(p.Status) + " · ")
	}
	b.text(e.App + " did not start · " + string(e.Category))
	b.raw("</p>\n<h1>")
	b.text(e.Summary)
	b.raw("</h1>\n</header>")
	p.sections(&b)
	b.raw("\n<section><details><summary>All of it as text, to copy</summary><pre><span>")
	b.text(plain(p))
	b.raw("</span></pre></details></section>\n<footer>")
	b.text(p.foot())
	b.raw("</footer>\n</main>\n</body>\n</html>\n")
	return b
}

// sections writes what is known of the start.
func (p Page) sections(b *markup) {
	e := p.Error
	if e.Advice != "" {
		b.raw("\n<section class=\"advice\">")
		b.text(e.Advice)
		b.raw("</section>")
	}
	if p.Next != "" {
		b.raw("\n<section>")
		b.text(p.Next)
		b.raw("</section>")
	}
	if len(e.Stack) > 0 {
		b.raw("\n<section><h2>Where it hung</h2><pre>")
		for _, text := range e.Stack {
			b.raw("<span>")
			b.text(visible.Line(text))
			b.raw("</span>")
		}
		b.raw("</pre></section>")
	}
	b.output(marked(e))
	b.phases(bars(e.Phases))
	if list := facts(e); len(list) > 0 {
		b.raw("\n<section><h2>What was run</h2>\n<table>")
		b.facts(list, "<th>", "</th>")
		b.raw("\n</table></section>")
	}
	if list := environment(e); len(list) > 0 {
		b.raw("\n<section><details><summary>Environment (", strconv.Itoa(len(list)), ")</summary>\n<table>")
		b.facts(list, "<th><code>", "</code></th>")
		b.raw("\n</table></details></section>")
	}
}

// foot says when, and which process it was.
func (p Page) foot() string {
	e := p.Error
	text := stamp(e.At)
	if e.ProcessID != "" {
		text += " · process " + e.ProcessID
	}
	if e.Generation != 0 {
		text += fmt.Sprintf(", generation %d", e.Generation)
	}
	if p.RequestID != "" {
		text += " · request " + p.RequestID
	}
	return text
}

// A bar is one phase as part of the whole time.
type bar struct {
	Name, Took      string
	Offset, Percent float64 // of the whole
	Failed          bool
}

// least is how much of the whole a bar takes at least, so that one sees it.
const least = 0.5

func bars(phases []protocol.Phase) []bar {
	var all float64
	for _, p := range phases {
		all += p.Took
	}
	var list []bar
	var offset float64
	for _, p := range phases {
		b := bar{Name: p.Name, Took: took(p).String(), Failed: p.Failed, Offset: offset, Percent: least}
		if all > 0 {
			b.Percent = max(least, 100*p.Took/all)
			offset += 100 * p.Took / all
		}
		b.Offset = min(b.Offset, 100-b.Percent)
		list = append(list, b)
	}
	return list
}

// A line is one that the app wrote.
type line struct {
	Text   string
	Marked bool
}

// telling are lines that say what went wrong, in the languages that apps are
// written in.
var telling = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*(?:[A-Za-z_][\w.:]*(?:Error|Exception|NotFound|Mismatch|Interrupt)\b|fatal\b|panic:|error:|Error:)|: (?:syntax error|command not found|not found|[Pp]ermission denied)|\((?:[A-Z]\w*::)*[A-Z]\w*(?:Error|Exception|NotFound)\)`)
})

// marked are the app's last lines; those are marked that repeat the summary's
// quotes or look like an error.
func marked(e *protocol.SpawnError) []line {
	var list []line
	for _, text := range e.Output {
		list = append(list, line{visible.Line(text), telling().MatchString(text)})
	}
	return list
}

// plain is the whole as text, to be copied into a report.
func plain(p Page) string {
	e := p.Error
	var b strings.Builder
	b.WriteString("App " + e.App + " did not start (" + string(e.Category) + "): " + e.Summary + "\n")
	if e.Advice != "" {
		b.WriteString("Advice: " + e.Advice + "\n")
	}
	b.WriteString(Text(e))
	return b.String()
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC1123)
}
