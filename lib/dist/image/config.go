package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// A config is an image's configuration, as the OCI image specification has it. Its
// Healthcheck is Docker's: Kubernetes has probes, and other engines pass over it.
type config struct {
	Created      time.Time `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       run       `json:"config"`
	RootFS       rootFS    `json:"rootfs"`
	History      []step    `json:"history"`
}

type run struct {
	User         string              `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Env          []string            `json:",omitempty"`
	Entrypoint   []string            `json:",omitempty"`
	WorkingDir   string              `json:",omitempty"`
	Labels       map[string]string   `json:",omitempty"`
	StopSignal   string              `json:",omitempty"`
	Healthcheck  *healthcheck        `json:",omitempty"`
}

// Durations are in nanoseconds.
type healthcheck struct {
	Test                           []string
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type step struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// An image is its layers, lowest first, and its configuration.
type image struct {
	name       string
	layers     []layer
	config     []byte
	configSum  string
	stamp      time.Time
	arch, kind string
}

var kinds = map[string]string{"programs": "the programs alone, to be copied", "ruby": "Ruby apps", "python": "Python apps", "node": "Node.js apps"}

func newImage(f flags, layers []layer, at time.Time) (image, error) {
	what, ok := kinds[f.kind]
	if !ok {
		return image{}, fmt.Errorf("unknown kind %q", f.kind)
	}
	c := config{Created: at, Architecture: f.arch, OS: "linux", RootFS: rootFS{Type: "layers"}}
	for _, l := range layers {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, l.digest)
	}
	if len(layers) > 1 {
		c.History = append(c.History, step{at, "mmdebstrap"})
	}
	c.History = append(c.History, step{at, "passenger " + f.version})
	if f.kind != "programs" {
		c.Config = running()
	}
	c.Config.Labels = map[string]string{
		"org.opencontainers.image.title": "passenger: " + what, "org.opencontainers.image.version": f.version, "org.opencontainers.image.licenses": "MIT",
	}
	text, err := json.Marshal(c)
	if err != nil {
		return image{}, err
	}
	sum := sha256.Sum256(text)
	return image{name: f.name, layers: layers, config: text, configSum: digest(sum[:]), stamp: at, arch: f.arch, kind: f.kind}, nil
}

// running is how the programs serve the app in /app. "passenger-status health" has
// the exit statuses of Nagios's plug-ins: below 2 there is at most a warning.
func running() run {
	return run{
		User:         "10001",
		ExposedPorts: map[string]struct{}{"3000/tcp": {}},
		Env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/tmp",
			"PASSENGER_STATE_DIR=/run/passenger/state", "PASSENGER_LOG_FORMAT=json", "PASSENGER_APP_ENV=production",
		},
		Entrypoint: []string{"passenger", "start", "--address=0.0.0.0"},
		WorkingDir: "/app",
		StopSignal: "SIGTERM",
		Healthcheck: &healthcheck{
			Test:     []string{"CMD-SHELL", "passenger-status health; [ $? -lt 2 ]"},
			Interval: 30 * time.Second, Timeout: 10 * time.Second, StartPeriod: 60 * time.Second, Retries: 3,
		},
	}
}
