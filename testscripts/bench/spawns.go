package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// ourSpawns is how long the start of a forked process took, in ms: the mean of
// all but the first, which waited for the preloader.
func ourSpawns(ctx context.Context, s *server) (float64, error) {
	socket := statedir.At(filepath.Join(filepath.Dir(s.log), "state")).Socket(statedir.Spawn)
	var list protocol.ProcessList
	if err := control.NewClient(socket, "bench", "").Call(ctx, "GET", protocol.PathProcesses, nil, &list); err != nil {
		return 0, err
	}
	var took []float64
	for _, p := range list.Processes {
		if p.Preloader != "" {
			took = append(took, 1000*p.SpawnTook)
		}
	}
	return meanButFirst(took)
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
	return meanButFirst(took)
}

func meanButFirst(took []float64) (float64, error) {
	if len(took) < 2 {
		return 0, fmt.Errorf("%d processes were started; to compare, there have to be more", len(took))
	}
	var sum float64
	for _, t := range took[1:] {
		sum += t
	}
	return sum / float64(len(took)-1), nil
}
