package status

import "passenger/lib/status/layout"

// A Style says how a status is written for a terminal. The zero Style is plain.
type Style struct {
	Colour bool

	// Width and Height are those of the terminal that [Status.Screen] is for, in
	// columns and lines. A table leaves columns out that do not fit the width; 0
	// is for any width.
	Width, Height int

	brief bool // leave out what is not news
	gaps  bool // in a brief text, empty lines before apps
	rows  int  // most processes to show of an app, 0 for all
}

func (st Style) bold(s string) string   { return layout.Pen(st.Colour).Bold(s) }
func (st Style) dim(s string) string    { return layout.Pen(st.Colour).Dim(s) }
func (st Style) red(s string) string    { return layout.Pen(st.Colour).Red(s) }
func (st Style) yellow(s string) string { return layout.Pen(st.Colour).Yellow(s) }
func (st Style) green(s string) string  { return layout.Pen(st.Colour).Green(s) }
