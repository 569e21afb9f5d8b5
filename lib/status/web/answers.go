package web

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status"
	"passenger/lib/status/dashboard"
	"passenger/lib/status/scrape"
)

// snapshot returns what a viewer may see of it.
func (s *Server) snapshot(ctx context.Context, v viewer) (status.Snapshot, error) {
	l, err := s.source.snapshot.get(ctx)
	switch {
	case err != nil:
		return l.Snapshot, err
	case errors.Is(l.err, fs.ErrNotExist): // what is to run is not there yet
		return status.Snapshot{At: time.Now(), StateDir: s.Dir.Path(), Parts: []status.Part{}}, nil
	case l.err != nil:
		return l.Snapshot, l.err
	}
	if v.all {
		return l.Snapshot, nil
	}
	return v.cut(l.Snapshot), nil
}

// cut leaves of a snapshot what is of the viewer's own apps. It shares nothing
// that it changes with the snapshot of others.
func (v viewer) cut(s status.Snapshot) status.Snapshot {
	mine := func(app string) bool { return v.sees(s, app) }
	c := status.Snapshot{At: s.At, Parts: slices.Clone(s.Parts), Routes: protocol.Routes{Version: s.Routes.Version}}
	for i := range c.Parts {
		c.Parts[i].Listen, c.Parts[i].Error = nil, ""
	}
	for _, r := range s.Routes.Apps {
		if mine(r.App) {
			c.Routes.Apps = append(c.Routes.Apps, r)
		}
	}
	for _, p := range s.Records {
		if mine(p.App) {
			c.Records = append(c.Records, p)
		}
	}
	if s.Processes != nil {
		c.Processes = &protocol.ProcessList{Version: s.Processes.Version}
		for _, p := range s.Processes.Processes {
			if mine(p.App) {
				c.Processes.Processes = append(c.Processes.Processes, p)
			}
		}
	}
	if s.Preloaders != nil {
		c.Preloaders = &protocol.PreloaderList{}
		for _, l := range s.Preloaders.Preloaders {
			if mine(l.App) {
				c.Preloaders.Preloaders = append(c.Preloaders.Preloaders, l)
			}
		}
	}
	if s.Apps != nil {
		c.Apps = &protocol.AppList{MaxPoolSize: s.Apps.MaxPoolSize, SpawnerUp: s.Apps.SpawnerUp, Proxies: s.Apps.Proxies}
		for _, a := range s.Apps.Apps {
			if mine(a.Name) {
				c.Apps.Apps = append(c.Apps.Apps, a)
			}
		}
		for _, r := range s.Apps.Refused {
			if r.App != "" && mine(r.App) {
				c.Apps.Refused = append(c.Apps.Refused, r)
			}
		}
	}
	if s.Proxy != nil {
		c.Proxy = &protocol.ProxyApps{RoutesVersion: s.Proxy.RoutesVersion, Report: protocol.ProxyReport{
			Processes: s.Proxy.Report.Processes, Apps: map[string]protocol.AppReport{},
		}}
		for app, r := range s.Proxy.Report.Apps {
			if mine(app) {
				c.Proxy.Report.Apps[app] = r
			}
		}
	}
	return c
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request, v viewer) {
	if !v.all {
		s.source.snapshot.start()
	}
	text, err := s.source.metrics.get(r.Context())
	if err == nil && !v.all {
		var l looked
		l, err = s.source.snapshot.get(r.Context())
		text = scrape.Only(text, func(app string) bool { return v.sees(l.Snapshot, app) })
	}
	if err != nil {
		fail(w, err)
		return
	}
	send(w, http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", text)
}

func (s *Server) status(w http.ResponseWriter, r *http.Request, v viewer) {
	snapshot, err := s.snapshot(r.Context(), v)
	if err != nil {
		fail(w, err)
		return
	}
	sendJSON(w, snapshot.Status())
}

// view is what the dashboard shows, of one app if it is named.
func (s *Server) view(ctx context.Context, v viewer, app string) (dashboard.View, error) {
	s.source.metrics.start()
	if app != "" {
		s.source.requests.start()
	}
	snapshot, err := s.snapshot(ctx, v)
	if err != nil {
		return dashboard.View{}, err
	}
	metrics, err := s.source.metrics.get(ctx)
	if err != nil {
		return dashboard.View{}, err
	}
	var requests []protocol.Request
	if app != "" {
		if requests, err = s.source.requests.get(ctx); err != nil {
			return dashboard.View{}, err
		}
	}
	view := s.history.View(snapshot, app, requests)
	if v.all {
		view.Certificates = dashboard.Certificates(metrics)
	}
	return view, nil
}

func (s *Server) dashboard(w http.ResponseWriter, r *http.Request, v viewer) {
	view, err := s.view(r.Context(), v, r.URL.Query().Get("app"))
	if err != nil {
		fail(w, err)
		return
	}
	sendJSON(w, view)
}

// page is the dashboard, or the form that asks for the token.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	_, err := s.viewerOf(r)
	var refused *refusal
	switch {
	case err == nil:
		send(w, http.StatusOK, dashboard.HTML, dashboard.Page())
	case errors.As(err, &refused) && refused.status == http.StatusUnauthorized:
		send(w, http.StatusUnauthorized, dashboard.HTML, dashboard.Login())
	default:
		fail(w, err)
	}
}

// mostForm bounds the form of the login.
const mostForm = 4 << 10

// login gives a browser that knows the token a cookie. It changes nothing here.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "null" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			fail(w, &refusal{http.StatusForbidden, "this form is of another site"})
			return
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	if err := r.ParseForm(); err != nil {
		fail(w, &refusal{http.StatusBadRequest, "the form cannot be read"})
		return
	}
	if s.Token == "" || !s.Token.is(r.PostForm.Get("token")) {
		s.tellOfGuess(r)
		send(w, http.StatusUnauthorized, dashboard.HTML, dashboard.LoginAgain())
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: s.Token.cookie(time.Now().Add(cookieAge)), Path: "/", MaxAge: int(cookieAge.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
