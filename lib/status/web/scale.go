package web

import (
	"math"
	"net/http"

	"passenger/lib/protocol"
)

// A scale is how many processes one app wants and has, or all apps together: the
// form that KEDA's metrics-api scaler reads, which takes any number in JSON.
type scale struct {
	App    string  `json:"app,omitempty"`
	Wanted int     `json:"wanted"`
	Needs  float64 `json:"needs"` // what to sum over machines
	Has    int     `json:"has"`   // that serve or start
	Reason string  `json:"reason,omitempty"`

	MaxPoolSize int     `json:"max_pool_size,omitempty"`
	Apps        []scale `json:"apps,omitempty"`
}

// scale is what this machine's apps want, or the one that is named.
func (s *Server) scale(w http.ResponseWriter, r *http.Request, v viewer) {
	snapshot, err := s.snapshot(r.Context(), v)
	switch {
	case err != nil:
		fail(w, err)
		return
	case snapshot.Apps == nil:
		fail(w, &refusal{http.StatusServiceUnavailable, "the pool does not answer"})
		return
	}
	all := scale{MaxPoolSize: snapshot.Apps.MaxPoolSize}
	name := r.URL.Query().Get("app")
	for _, a := range snapshot.Apps.Apps {
		one := scaleOf(a)
		if a.Name == name {
			sendJSON(w, one)
			return
		}
		all.Wanted += one.Wanted
		all.Needs = math.Round((all.Needs+one.Needs)*100) / 100
		all.Has += one.Has
		all.Apps = append(all.Apps, one)
	}
	if name != "" {
		fail(w, &refusal{http.StatusNotFound, "there is no such app"})
		return
	}
	sendJSON(w, all)
}

func scaleOf(a protocol.App) scale {
	s := scale{App: a.Name, Wanted: a.Wanted, Needs: a.Needs, Reason: a.WantedReason}
	for _, p := range a.Processes {
		if p.State == protocol.Starting || p.State == protocol.Ready {
			s.Has++
		}
	}
	return s
}
