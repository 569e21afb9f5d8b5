package owner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"passenger/lib/app"
	"passenger/lib/pool"
	"passenger/lib/protocol"
)

// A Fault is one thing that is wrong with the settings of an app, or that has no
// effect there.
type Fault struct {
	File    string // or the directory, of an app without a file
	Line    int    // 0 if it is not one line
	Message string
	Hint    string
	Warning bool // the app runs all the same
}

// Check reads all settings as a pool does that starts, and those in singles
// beside them, which are files like those of the administrator. It returns all
// that is wrong with them by themselves and beside each other, in no order.
// Processes is the pool's maximum, 0 if it is not known. Nothing is started.
func (f Files) Check(processes int, singles ...string) []Fault {
	var faults []Fault
	if err := f.check(); err != nil {
		faults = append(faults, faultsOf(f.Fixed, err)...)
	}
	list := f.entries()
	for _, path := range singles {
		list = append(list, f.entry(origin{fixed, path}))
	}
	administratorsFirst(list)
	o := &Owner{files: f, catalog: catalog{}, claims: claims{}, pool: pool.New(time.Now(), pool.Limits{}, pool.Chance{}, nil)}
	for _, e := range list {
		place := e.path
		if e.kind == named {
			place = filepath.Join(e.path, app.File)
		}
		if err := o.take(time.Now(), e); err != nil {
			faults = append(faults, faultsOf(place, err)...)
			continue
		}
		if _, err := app.Detect(e.config, false); err != nil {
			faults = append(faults, faultsOf(place, err)...)
		}
		for _, w := range append(warnings(e.config, processes), absent(e.config)...) {
			faults = append(faults, Fault{File: place, Message: w, Warning: true})
		}
	}
	return faults
}

// warnings are what has no effect in an app's settings.
func warnings(c protocol.AppConfig, processes int) []string {
	list := app.Warnings(c)
	if processes > 0 && c.MinInstances != nil && *c.MinInstances > processes {
		list = append(list, fmt.Sprintf("min_instances is %d, and the pool starts at most %d processes in all", *c.MinInstances, processes))
	}
	return list
}

// absent warns of the directories of static_mounts that are not there: they may come
// later, or their name is wrong.
func absent(c protocol.AppConfig) (list []string) {
	for prefix, dir := range c.StaticMounts {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(c.AppRoot, dir)
		}
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			list = append(list, fmt.Sprintf("static_mounts: there is no directory %q for %q", dir, prefix))
		}
	}
	slices.Sort(list)
	return list
}

// faultsOf are the things that an error tells of, each by itself.
func faultsOf(place string, err error) []Fault {
	var several app.Errors
	if errors.As(err, &several) {
		var list []Fault
		for _, one := range several {
			list = append(list, faultsOf(place, one)...)
		}
		return list
	}
	f := Fault{File: place, Message: strings.TrimPrefix(err.Error(), place+": ")}
	var m *app.Mistake
	if errors.As(err, &m) {
		f.Line, f.Message = m.Line, m.Text()
	}
	var pe *protocol.Error
	if errors.As(err, &pe) {
		f.Hint = pe.Hint
	}
	return []Fault{f}
}
