package spawn

import (
	"reflect"

	"passenger/lib/protocol"
	"passenger/lib/spawn/survey"
)

// released is the release that the first process of the generation found at the
// app root, nil if none did. Other settings are another release.
func (g *generation) released(appRoot string) *survey.Release {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.release.Path != "" && (g.logical == appRoot || g.logical == "") {
		r := g.release
		return &r
	}
	return nil
}

// agree notes what was found in the release that was known. It returns false if
// another process of the generation has found another release meanwhile:
// processes of one generation never mix the code of two.
func (g *generation) agree(q survey.Question, f survey.Findings) bool {
	c, known := q.Config, q.Release
	g.mu.Lock()
	defer g.mu.Unlock()
	other := known == nil && g.release.Path != "" && g.logical == c.AppRoot
	if other && g.release.Path != f.Release.Path {
		return false
	}
	g.logical, g.release = c.AppRoot, f.Release
	if q.ProcessType == "" {
		g.found, g.foundBy = &f, c
	}
	return true
}

// known is what was found last by these settings.
func (g *generation) known(c protocol.AppConfig) (f survey.Findings, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.found == nil || !reflect.DeepEqual(g.foundBy, c) {
		return f, false
	}
	return *g.found, true
}

// loaded says whether the generation has a preloader.
func (g *generation) loaded() bool {
	l := g.preloader()
	return l != nil && !l.gone()
}
