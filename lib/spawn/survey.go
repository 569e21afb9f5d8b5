package spawn

import (
	"context"
	"fmt"
	"reflect"

	"passenger/lib/protocol"
	"passenger/lib/spawn/gate"
	"passenger/lib/spawn/survey"
)

// survey has a process look at the app's directory.
func (s *Spawner) survey(ctx context.Context, q survey.Question) (survey.Findings, error) {
	said, _, err := s.children.errand(ctx, gate.Order{Survey: &q})
	switch {
	case err != nil:
		return survey.Findings{}, err
	case said.Findings == nil:
		return survey.Findings{}, fmt.Errorf("app %q: its directory was not looked at: the process for it ended", q.Config.Name)
	}
	return *said.Findings, nil
}

// look is what is known of the app's directory for a process of the generation.
// With a preloader that lives there is nothing to look at: what it forks is what
// it loaded. What an earlier start found is an expectation, unless the caller
// starts afresh. Else a process looks at the directory, in the release of the
// generation's first process.
func (g *generation) look(ctx context.Context, s *Spawner, c protocol.AppConfig, afresh bool) (survey.Findings, *survey.Expectation, error) {
	for {
		q := survey.Question{Config: c, Release: g.released(c.AppRoot)}
		if s.Switching != nil {
			q.Switches = &survey.Switches{DefaultUser: s.Switching.RunAs.DefaultUser}
		}
		if f, ok := g.known(c); ok && g.loaded() {
			return f, nil, nil
		} else if ok && !afresh {
			expected, err := survey.Expect(q, f)
			return f, expected, err
		}
		f, err := s.survey(ctx, q)
		if err != nil {
			return survey.Findings{}, nil, err
		}
		if g.settle(c, q.Release, f) {
			return f, nil, nil
		}
	}
}

// loaded says whether the generation has a preloader.
func (g *generation) loaded() bool {
	l := g.preloader()
	return l != nil && !l.gone()
}

// known is what was found by these settings.
func (g *generation) known(c protocol.AppConfig) (f survey.Findings, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.found == nil || !reflect.DeepEqual(g.foundBy, c) {
		return f, false
	}
	return *g.found, true
}

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

// settle notes what was found, from the release that was known. It says no if
// another process of the generation has found a release meanwhile: processes of
// one generation never mix the code of two.
func (g *generation) settle(c protocol.AppConfig, known *survey.Release, f survey.Findings) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	other := known == nil && g.release.Path != "" && g.logical == c.AppRoot
	if other && g.release.Path != f.Release.Path {
		return false
	}
	g.logical, g.release = c.AppRoot, f.Release
	g.found, g.foundBy = &f, c
	return true
}
