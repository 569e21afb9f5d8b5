package spawn

import (
	"errors"
	"os"
	"time"

	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn/diagnosis"
	"passenger/lib/spawn/notify"
	"passenger/lib/spawn/plan"
	"passenger/lib/spawn/process"
	"passenger/lib/visible"
)

// explain ends what is left of a failed attempt and says why it failed. A
// *protocol.Error passes as it is.
func (a *attempt) explain(cause error) error {
	var pe *protocol.Error
	if errors.As(cause, &pe) {
		return pe
	}
	var preloaders *protocol.SpawnError
	if errors.As(cause, &preloaders) { // the preloader's own error, which is complete
		a.end(cause)
		e := *preloaders
		e.ProcessID, e.Phases = a.req.ID, a.phases
		return &e
	}
	e := &protocol.SpawnError{
		App: a.req.App, ProcessID: a.req.ID, Generation: a.req.Generation, At: time.Now(),
		Phases: a.phases, Output: []string{}, AppRoot: a.req.Config.AppRoot,
	}
	if a.plan != nil {
		e.Command, e.AppRoot, e.User = a.plan.Shown, a.plan.Root, a.plan.User.Name
		e.UID = &a.plan.User.UID
	} else if a.s.Switching == nil {
		e.UID = new(os.Geteuid())
	}
	var failed *diagnosis.ExitError
	own := errors.As(cause, &failed) // the process ended by itself
	left := 0
	var listens []int
	var timeout *diagnosis.TimeoutError
	var hung process.Hang
	if errors.As(cause, &timeout) && !errors.Is(cause, diagnosis.ErrUnseen) {
		hung = a.p.WhereItHangs(a.s.adapters.Dir())
		e.WaitsIn, e.Stack = hung.WaitsIn, hung.Stack
	}
	if a.p != nil {
		listens = a.listens()
		strays := a.end(cause)
		if lines, read := a.p.LastLines(); read {
			e.Output = process.Texts(hung.Before(lines))
		}
		if own {
			e.Exit, left = a.p.Snapshot().Exit, a.p.Left()+strays
		}
	}
	d := diagnosis.Of(diagnosis.Symptoms{
		Cause: cause, Kind: kindOf(a.plan), ProcessType: a.req.ProcessType, Output: e.Output, Exit: e.Exit, Left: left, Port: a.port, Listens: listens,
		Phase: a.lastPhase(), Forked: a.p != nil && a.p.Snapshot().Preloader != "", WaitsIn: e.WaitsIn, Stack: len(e.Stack) > 0, Report: reportOf(failed), Interpreter: interpreterOf(a.plan),
	})
	e.Category, e.Summary, e.Advice = d.Category, d.Summary, d.Advice
	if a.plan != nil {
		hide(e, a.plan)
	}
	show(e)
	return e
}

// hide adds the environment to the error and takes the secrets out of it,
// wherever they stand.
func hide(e *protocol.SpawnError, p *plan.Plan) {
	secrets := p.Secrets()
	e.Environment = secrets.Environment(p.Env)
	e.Command, e.Output, e.Stack = secrets.Lines(e.Command), secrets.Lines(e.Output), secrets.Lines(e.Stack)
	e.Summary, e.Advice, e.WaitsIn = secrets.Text(e.Summary), secrets.Text(e.Advice), secrets.Text(e.WaitsIn)
	if e.Exit != nil {
		exit := *e.Exit // a copy: this one is the record's
		exit.Cause = secrets.Text(exit.Cause)
		e.Exit = &exit
	}
}

// show makes each sentence of the error one line that is safe on a terminal: an
// app's words may be in it. Output stays as the app wrote it; the code that
// prints it makes it visible.
func show(e *protocol.SpawnError) {
	e.Summary, e.Advice, e.WaitsIn = visible.Line(e.Summary), visible.Line(e.Advice), visible.Line(e.WaitsIn)
}

// lastPhase is how far the attempt came.
func (a *attempt) lastPhase() string {
	if len(a.phases) == 0 {
		return ""
	}
	return a.phases[len(a.phases)-1].Name
}

// end leaves nothing of the attempt's process.
//
// It finds processes that left the group by the name of the notify socket, which
// no other process has; strays says how many there were.
func (a *attempt) end(cause error) (strays int) {
	if !a.p.Began() || errors.Is(cause, diagnosis.ErrUnseen) {
		a.takeBack(cause)
		return 0
	}
	a.p.Kill("killed by us: " + cause.Error())
	return a.s.children.KillStrays(a.p.Notify.Name)
}

// listens returns the ports that a generic app listens on.
func (a *attempt) listens() []int {
	if a.port == 0 || !a.p.Began() {
		return nil
	}
	return proc.Listening(a.p.PID())
}

func kindOf(p *plan.Plan) string {
	if p == nil {
		return ""
	}
	return p.Kind
}

func interpreterOf(p *plan.Plan) string {
	if p == nil {
		return ""
	}
	return p.Interpreter()
}

func reportOf(e *diagnosis.ExitError) *notify.Report {
	if e == nil {
		return nil
	}
	return e.Report
}
