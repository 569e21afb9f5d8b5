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
	"syscall"
	"time"
)

// ourSpawns is how long the start of a forked process took, in ms: the mean of those
// that take the place of processes killed one after the other.
func ourSpawns(ctx context.Context, s *server) (float64, error) {
	list, err := s.awaitProcesses(ctx, 4)
	if err != nil {
		return 0, err
	}
	known := map[string]bool{}
	for _, p := range list {
		known[p.ID] = true
	}
	var took []float64
	for _, p := range list {
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			return 0, fmt.Errorf("kill process %d: %w", p.PID, err)
		}
		for replaced := false; !replaced; {
			time.Sleep(20 * time.Millisecond)
			now, err := s.awaitProcesses(ctx, 4)
			if err != nil {
				return 0, err
			}
			for _, p := range now {
				if known[p.ID] {
					continue
				}
				known[p.ID], replaced = true, true
				if p.Preloader != "" {
					took = append(took, 1000*p.SpawnTook)
				}
			}
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
