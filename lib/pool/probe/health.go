package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"passenger/lib/protocol"
)

// pause is how long to wait before a process that did not answer well is
// asked again.
const pause = 250 * time.Millisecond

// Check warms a process up and asks for its health as the settings say. It
// returns nil once the process answered well, else why it did not within its
// time.
func Check(ctx context.Context, p protocol.Process, c protocol.AppConfig) *protocol.SpawnError {
	began := time.Now()
	limit := time.Duration(c.HealthTimeout * float64(time.Second))
	for _, path := range c.WarmUp {
		// Any answer will do, but it has to come in time.
		one, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
		_, err := Get(one, p, request(c, path))
		late := one.Err() != nil
		cancel()
		if late {
			return failure(p, c, began, "warm-up request "+path, Answer{}, err)
		}
	}
	if c.HealthPath == "" {
		return nil
	}
	return healthy(ctx, p, c, began, limit)
}

func request(c protocol.AppConfig, path string) Request {
	host := "localhost"
	for _, name := range c.ServerNames {
		if !strings.HasPrefix(name, "*") {
			host = name
			break
		}
	}
	return Request{Host: host, Target: path, BaseURI: c.BaseURI}
}

// healthy asks until the answer is good or the time is over.
func healthy(ctx context.Context, p protocol.Process, c protocol.AppConfig, began time.Time, limit time.Duration) *protocol.SpawnError {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	var last Answer
	var why error
	for {
		a, err := Get(ctx, p, request(c, c.HealthPath))
		if err == nil && a.Code < 400 {
			return nil
		}
		if !over(ctx) || why == nil && last.Code == 0 {
			last, why = a, err // the last whole answer says more than the end of the time
		}
		select {
		case <-ctx.Done():
			return failure(p, c, began, "GET "+c.HealthPath, last, why)
		case <-time.After(pause):
		}
	}
}

// over says that ctx's time is. Connections that have it for their deadline may know
// before ctx does.
func over(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(end)
}

// failure is the record of a check that what failed.
func failure(p protocol.Process, c protocol.AppConfig, began time.Time, what string, a Answer, err error) *protocol.SpawnError {
	e := &protocol.SpawnError{
		Category: protocol.CategoryHealth,
		Summary:  fmt.Sprintf("%s was answered with status %s", what, a.Status),
		Advice: fmt.Sprintf("The process was ready, but did not pass its check within %gs (health_check_timeout); "+
			"its log may say why.", c.HealthTimeout),
		App: p.App, ProcessID: p.ID, Generation: p.Generation, At: time.Now(), Output: []string{},
		Phases:  []protocol.Phase{{Name: protocol.PhaseCheck, Took: time.Since(began).Seconds(), Failed: true}},
		Command: p.Command, AppRoot: p.AppRoot, User: p.User,
	}
	if err != nil {
		e.Summary = fmt.Sprintf("%s was not answered: %v", what, explained(err))
	} else if body := strings.TrimSpace(a.Body); body != "" {
		e.Output = strings.Split(body, "\n")
	}
	return e
}

// explained says in a sentence's words what an end of the connection is.
func explained(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the process closed the connection")
	}
	return err
}
