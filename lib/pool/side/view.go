package side

import (
	"time"

	"passenger/lib/protocol"
)

// Tried says how the generation on trial stands: done if all types that it requires
// have a process, err if one of them is no good.
func (c *Crew) Tried(t Trial) (done bool, err *protocol.SpawnError) {
	done = true
	for name := range t.Config.Processes {
		if !t.needs(name) {
			continue
		}
		k := c.kinds[name]
		if k == nil {
			done = false
			continue
		}
		if k.tried == t.Generation && k.trialErr != nil {
			return false, k.trialErr
		}
		serves := false
		for _, p := range k.processes {
			serves = serves || p.ready && p.why == "" && p.record.Generation == t.Generation
		}
		done = done && serves
	}
	return done, nil
}

// View is the crew as others are told of it. config are the settings that it is
// run with.
func (c *Crew) View(now time.Time, config protocol.AppConfig) []protocol.Side {
	var list []protocol.Side
	for _, k := range c.all(Aim{Config: config}) {
		list = append(list, k.view(now, config.Processes[k.name]))
	}
	return list
}

func (k *kind) view(now time.Time, spec protocol.SideProcess) protocol.Side {
	v := protocol.Side{
		Type: k.name, Generation: k.crew.settled, Failures: k.failures, LastError: k.err, Processes: []protocol.Process{},
	}
	if spec.Count != nil {
		v.Count = *spec.Count
	}
	serve := 0
	for _, p := range k.processes {
		r := p.record
		if p.why != "" {
			r.State = protocol.Stopping
		}
		if r.State == protocol.Ready && r.Generation == k.crew.settled {
			serve++
		}
		v.Processes = append(v.Processes, r)
	}
	switch {
	case v.Count == 0:
		v.State = protocol.AppIdle
	case serve >= v.Count:
		v.State = protocol.AppReady
	case k.failures > 0:
		v.State = protocol.AppBackoff
		if now.Before(k.until) {
			v.NextTry = k.until
		}
	default:
		v.State = protocol.AppStarting
	}
	return v
}
