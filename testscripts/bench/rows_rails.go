package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// railsRows are those of one Rails page.
func railsRows() []row {
	return []row{
		{
			name: "rails", title: "Rails page, 4 processes",
			unit: "requests/s", format: "%.0f", want: helloRails, processes: 4, value: requestsPerSecond,
			contestants: []contestant{
				{name: "Passenger 6, builtin engine", start: passenger6("rails", 4), target: 1},
				{name: "Puma -w 4 -t 1:1 --preload", start: puma("rails", 4, "1:1", "--preload"), target: 1},
				{name: "ours", start: ours("rails", 4)},
			},
		},
		{
			name: "rails-yjit", title: "Rails page, 4 processes, with Ruby's compiler",
			unit: "requests/s", format: "%.0f", want: helloRails, processes: 4, value: requestsPerSecond, possible: hasYJIT, remark: remarkMemory,
			contestants: []contestant{
				{name: "ours, yjit false", start: ours("rails-no-yjit", 4), programs: ourApps, target: 1.2, cpuTarget: 0.8},
				{name: "ours, yjit true", start: ours("rails-yjit", 4), programs: ourApps},
			},
		},
		{
			name: "spawn", title: "One more Rails process, of 4, once the first is there",
			unit: "ms", format: "%.1f", less: true, idle: true, want: helloRails, processes: 4, limit: 20, rounds: 1, value: pssMegabytes,
			contestants: []contestant{
				{name: "Passenger 6, smart spawning", start: passenger6("rails", 4), look: passengerSpawns},
				{name: "ours", start: ours("rails", 4), look: ourSpawns},
			},
		},
		{
			name: "workers", title: "Memory of a Rails process, of 4, after requests, PSS",
			unit: "MB", format: "%.1f", less: true, idle: true, worked: true, want: helloRails, processes: 4, value: quarterOfPSS,
			contestants: []contestant{
				{name: "Passenger 6, smart spawning", start: passenger6("rails", 4), programs: []string{"Passenger RubyApp"}, target: 0.85},
				{name: "Puma -w 4 -t 1:1 --preload", start: puma("rails", 4, "1:1", "--preload"), programs: []string{"puma: cluster worker"}, target: 0.85},
				{name: "ours, with warm_up_requests", start: ours("rails-warm", 4), programs: ourApps},
				{name: "ours", start: ours("rails", 4), programs: ourApps},
			},
		},
	}
}

const helloRails = "Hello from Rails"

// ourApps is what the processes of apps are called.
var ourApps = []string{"passenger: app"}

// hasYJIT asks the Ruby that serves the rows.
func hasYJIT(ctx context.Context, _ *lab) error {
	cmd := exec.CommandContext(ctx, "/usr/bin/ruby", "--yjit", "-e", "print RubyVM::YJIT.enabled?")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "true" {
		why, _, _ := strings.Cut(string(out), "\n")
		return &impossible{why + "; that of SUITE=bookworm has YJIT"}
	}
	return nil
}

// remarkMemory says what a process of four has grown to.
func remarkMemory(samples []sample) string {
	var memory []float64
	for _, m := range samples {
		memory = append(memory, quarterOfPSS(m))
	}
	return fmt.Sprintf("%.1f MB PSS per process under load", median(memory))
}
