package gate

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"passenger/lib/app"
	"passenger/lib/output"
	"passenger/lib/spawn/survey"
)

// run carries out an errand. It returns false if o is none, but an order to
// become the command.
func (o Order) run(g *os.File) bool {
	switch {
	case o.Survey != nil:
		_ = json.NewEncoder(g).Encode(answerSurvey(*o.Survey)) // else the spawner is gone
	case o.Manifest != nil:
		_ = json.NewEncoder(g).Encode(answerManifest(*o.Manifest)) // likewise
	case o.LogFile != "":
		f, err := o.openLog()
		if err != nil {
			_ = json.NewEncoder(g).Encode(Answer{Category: CategoryOther, Error: err.Error()})
			break
		}
		_ = unix.Sendmsg(FD, []byte("{}"), unix.UnixRights(int(f.Fd())), nil, 0)
	default:
		return false
	}
	return true
}

func (o Order) openLog() (*os.File, error) {
	if err := o.Change.Apply(); err != nil {
		return nil, err
	}
	return output.OpenLog(o.LogFile)
}

func answerManifest(q survey.ManifestQuestion) Answer {
	m, err := q.Take()
	if err != nil {
		return Answer{Category: CategoryOther, Error: err.Error()}
	}
	return Answer{Manifest: m}
}

// answerSurvey looks at the app's directory.
func answerSurvey(q survey.Question) Answer {
	f, err := q.Look()
	var unknown *app.UnknownError
	switch {
	case err == nil:
		return Answer{Findings: &f}
	case errors.As(err, &unknown):
		return Answer{Category: CategoryConfig, Error: err.Error(), Unknown: unknown}
	}
	a := Answer{Category: CategoryConfig, Error: err.Error()}
	switch {
	case errors.Is(err, fs.ErrPermission):
		a.Category = CategoryPermission
	case IsExhaustion(err):
		a.Category = CategoryOther
	}
	return a
}
