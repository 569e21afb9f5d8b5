package spawn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"syscall"

	"passenger/lib/account"
	"passenger/lib/app"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/trail"
)

// A survey asks what lies in an app's directory. The app's user fills that
// directory, with a FIFO, with a file of 2 GB, on a file system that does not
// answer: so a process of its own looks, this program at its gate, which can
// be killed. What it opens it opens as the user that the directory belongs to.
type survey struct {
	Config   protocol.AppConfig `json:"config"`
	Release  *release           `json:"release,omitempty"`  // nil to follow the app root
	Switches *reader            `json:"switches,omitempty"` // nil to read as who we are
}

// A reader is the user for a directory that is root's; see survey.as.
type reader struct {
	DefaultUser string `json:"default_user"`
}

// findings are the answer.
type findings struct {
	Release     release       `json:"release"`
	Detection   app.Detection `json:"detection"`
	Interpreter string        `json:"interpreter,omitempty"`
	Owner       app.Owner     `json:"owner"` // of the startup file, else of the directory

	hunch *hunch // that they are so still, nil if somebody has just looked
}

// testOnlyLooking is called before a directory is looked at.
var testOnlyLooking func(app string)

// look answers the survey, in this process. The directory is held open, so
// that whose it is and what lies there is said of one and the same.
func (q survey) look() (findings, error) {
	if testOnlyLooking != nil {
		testOnlyLooking(q.Config.Name)
	}
	path := q.Config.AppRoot
	if q.Release != nil {
		path = q.Release.Path
	}
	t, err := trail.Follow(path)
	if err != nil {
		return findings{}, fmt.Errorf("app %q: app root %q: %w", q.Config.Name, path, err)
	}
	defer t.Close()
	f := findings{Release: releaseOf(t)}
	if q.Release != nil { // what led there first counts on
		f.Release.Links = slices.Compact(slices.Sorted(slices.Values(append(q.Release.Links, t.Links...))))
		f.Release.Foreign = q.Release.Foreign
	}
	c, at := q.Config, fmt.Sprintf("/proc/self/fd/%d", t.File.Fd())
	c.AppRoot = f.Release.Path
	as, err := q.as(c, t)
	if err != nil {
		return f, fmt.Errorf("app %q: %w", c.Name, err)
	}
	err = as(func() (err error) {
		if f.Detection, err = app.DetectAt(c, at, q.Switches != nil); err == nil {
			f.Interpreter = interpreter(c, f.Detection.Type, at)
		}
		return err
	})
	if err != nil {
		return f, err
	}
	owner, err := ownerOf(at, f.Detection.StartupFile)
	switch {
	case err == nil:
		f.Owner = owner
	case q.Switches != nil:
		return f, fmt.Errorf("app %q: %w", c.Name, err)
	default: // whose it is makes no difference
		f.Owner = app.Owner{UID: f.Release.Owner}
	}
	return f, nil
}

// as returns by what the directory is read as the app's user: the one that the
// settings name, else its owner. A directory that is root's, in which root
// chose what lies, is read as root: the app may be anybody's, and its files
// readable by nobody else.
func (q survey) as(c protocol.AppConfig, t *trail.Trail) (func(func() error) error, error) {
	self := func(f func() error) error { return f() }
	if q.Switches == nil {
		return self, nil
	}
	if c.User == "" && t.Owner() == 0 {
		return self, nil
	}
	r := app.RunAs{DefaultUser: q.Switches.DefaultUser, Accounts: account.System}
	u, err := r.User(c, t.Owner())
	if err != nil {
		return nil, fmt.Errorf("app %q: %w", c.Name, err)
	}
	if u.UID == 0 {
		return self, nil
	}
	groups, err := account.System.GroupsOf(u, u.GID)
	if err != nil {
		return nil, err
	}
	return proc.User{UID: u.UID, GID: u.GID, Groups: groups}.Do, nil
}

// survey has a process look at the app's directory.
func (s *Spawner) survey(ctx context.Context, q survey) (findings, error) {
	said, _, err := s.errand(ctx, order{Survey: &q})
	switch {
	case err != nil:
		return findings{}, err
	case said.Findings == nil:
		return findings{}, fmt.Errorf("app %q: its directory was not looked at: the process for it ended", q.Config.Name)
	}
	return *said.Findings, nil
}

// answerSurvey is the looking process's part.
func answerSurvey(q survey) answer {
	f, err := q.look()
	var unknown *app.UnknownError
	switch {
	case err == nil:
		return answer{Findings: &f}
	case errors.As(err, &unknown):
		return answer{Category: gateConfig, Error: err.Error(), Unknown: unknown}
	}
	a := answer{Category: gateConfig, Error: err.Error()}
	switch {
	case errors.Is(err, fs.ErrPermission):
		a.Category = gatePermission
	case isExhaustion(err):
		a.Category = gateOther
	}
	return a
}

// isExhaustion says whether the system was out of something.
func isExhaustion(err error) bool {
	return slices.ContainsFunc([]error{syscall.ENOSPC, syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM},
		func(e error) bool { return errors.Is(err, e) })
}

// look is what is known of the app's directory for a process of the generation.
// A preloader that lives settles it: what it forks is what it loaded. What an
// earlier start found is a hunch, unless the caller wants none. Else the
// directory is looked at, in the release of the generation's first process.
func (g *generation) look(ctx context.Context, s *Spawner, c protocol.AppConfig, afresh bool) (findings, error) {
	for {
		q := survey{Config: c, Release: g.released(c.AppRoot)}
		if s.Switching != nil {
			q.Switches = &reader{DefaultUser: s.Switching.RunAs.DefaultUser}
		}
		if f, ok := g.known(c); ok && g.loaded() {
			return f, nil
		} else if ok && !afresh {
			var err error
			f.hunch, err = hunchOf(q, f)
			return f, err
		}
		f, err := s.survey(ctx, q)
		if err != nil {
			return findings{}, err
		}
		if g.settle(c, q.Release, f) {
			return f, nil
		}
	}
}

// loaded says whether the generation has a preloader.
func (g *generation) loaded() bool {
	l := g.preloader()
	return l != nil && !l.gone()
}

// known is what was found by these settings.
func (g *generation) known(c protocol.AppConfig) (f findings, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.found == nil || !reflect.DeepEqual(g.foundBy, c) {
		return f, false
	}
	return *g.found, true
}

// released is the release that the first process of the generation found at the
// app root, nil if none did. Other settings are another release.
func (g *generation) released(appRoot string) *release {
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
func (g *generation) settle(c protocol.AppConfig, known *release, f findings) bool {
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
