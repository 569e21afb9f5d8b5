// Package dashboard is the page that shows what runs: its files, the document
// that it is filled from, and the five minutes of history that it draws.
package dashboard

import (
	"bytes"
	"embed"
)

//go:embed files
var files embed.FS

// HTML is the type of the pages.
const HTML = "text/html; charset=utf-8"

// A File is one that a page loads.
type File struct {
	Type    string
	Content []byte
}

// Files are those by their paths. They hold nothing of what runs, so that
// everybody may have them.
func Files() map[string]File {
	return map[string]File{
		"/dashboard.css": {"text/css; charset=utf-8", read("dashboard.css")},
		"/dashboard.js":  {"text/javascript; charset=utf-8", read("dashboard.js")},
		"/icon.svg":      {"image/svg+xml", read("icon.svg")},
	}
}

// Page is the dashboard. What runs is put into it by dashboard.js, as text.
func Page() []byte { return read("index.html") }

// Login is the page with the form for the token, LoginAgain the same after a
// wrong one.
func Login() []byte { return read("login.html") }

// LoginAgain says that the token was wrong.
func LoginAgain() []byte {
	return bytes.Replace(Login(), []byte(`<p role="alert"></p>`), []byte(`<p role="alert">That is not the token.</p>`), 1)
}

// read panics if the file is not there: then it was not built in.
func read(name string) []byte {
	b, err := files.ReadFile("files/" + name)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return b
}
