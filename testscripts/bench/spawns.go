package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// ourSpawns is how long the start of a forked process took, in ms: the mean of
// those that were asked for when the preloader was there.
func ourSpawns(ctx context.Context, s *server) (float64, error) {
	socket := statedir.At(filepath.Join(filepath.Dir(s.log), "state")).Socket(statedir.Spawn)
	client := control.NewClient(socket, "bench", "")
	var list protocol.ProcessList
	if err := client.Call(ctx, "GET", protocol.PathProcesses, nil, &list); err != nil {
		return 0, err
	}
	var preloaders protocol.PreloaderList
	if err := client.Call(ctx, "GET", protocol.PathPreloaders, nil, &preloaders); err != nil {
		return 0, err
	}
	there := map[string]time.Time{}
	for _, l := range preloaders.Preloaders {
		there[l.ID] = l.ReadyAt
	}
	var took []float64
	for _, p := range list.Processes {
		asked := p.ReadyAt.Add(-time.Duration(p.SpawnTook * float64(time.Second)))
		if at := there[p.Preloader]; !at.IsZero() && asked.After(at) {
			took = append(took, 1000*p.SpawnTook)
		}
	}
	return mean(took)
}

// passengerSpawns is the same of Passenger, by its own status.
func passengerSpawns(ctx context.Context, s *server) (float64, error) {
	cmd := exec.CommandContext(ctx, "/usr/sbin/passenger-status", "--show=xml")
	cmd.Env = []string{"PATH=" + debianPath, "PASSENGER_INSTANCE_REGISTRY_DIR=" + filepath.Dir(s.log)}
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("passenger-status: %w", err)
	}
	var status struct {
		Processes []struct {
			Start float64 `xml:"spawn_start_time"` // both in µs
			End   float64 `xml:"spawn_end_time"`
		} `xml:"supergroups>supergroup>group>processes>process"`
	}
	d := xml.NewDecoder(bytes.NewReader(out))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // the numbers are ASCII in any
	if err := d.Decode(&status); err != nil {
		return 0, fmt.Errorf("passenger-status: %w", err)
	}
	var took []float64
	for _, p := range status.Processes {
		took = append(took, (p.End-p.Start)/1000)
	}
	if len(took) > 0 {
		took = took[1:] // it waited for the preloader
	}
	return mean(took)
}

func mean(took []float64) (float64, error) {
	if len(took) == 0 {
		return 0, errors.New("no process was started when the preloader was there")
	}
	var sum float64
	for _, t := range took {
		sum += t
	}
	return sum / float64(len(took)), nil
}
