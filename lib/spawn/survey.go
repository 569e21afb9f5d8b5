package spawn

import (
	"context"
	"fmt"

	"passenger/lib/spawn/children"
	"passenger/lib/spawn/gate"
	"passenger/lib/spawn/survey"
)

// surveyBy has a process look at the app's directory.
func surveyBy(ctx context.Context, children *children.Table, q survey.Question) (survey.Findings, error) {
	said, _, err := children.Errand(ctx, gate.Order{Survey: &q})
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
// generation's first process. For a side process one always looks: there are few.
func (g *generation) look(ctx context.Context, s *Spawner, q survey.Question, afresh bool) (survey.Findings, *survey.Expectation, error) {
	c, serves := q.Config, q.ProcessType == ""
	for {
		q.Release = g.released(c.AppRoot)
		if s.Switching != nil {
			q.Switches = &survey.Switches{DefaultUser: s.Switching.RunAs.DefaultUser}
		}
		if f, ok := g.known(c); ok && serves && g.loaded() {
			return f, nil, nil
		} else if ok && serves && !afresh {
			expected, err := survey.Expect(q, f)
			return f, expected, err
		}
		f, err := surveyBy(ctx, &s.children, q)
		if err != nil {
			return survey.Findings{}, nil, err
		}
		if g.agree(q, f) {
			return f, nil, nil
		}
	}
}
