package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// printMachine says what the numbers were measured on and with.
func printMachine(w io.Writer, l *lab) {
	fmt.Fprintf(w, "%s, commit %s\n", time.Now().UTC().Format("2006-01-02 15:04 MST"), cmp.Or(l.commit, commit(l.root)))
	fmt.Fprintf(w, "%d × %s, Linux %s, %s\n", runtime.NumCPU(), cpuModel(), output("uname", "-r"), runtime.Version())
	fmt.Fprintf(w, "%s\n", strings.Join(versions(), ", "))
	fmt.Fprintf(w, "wrk -t1 -c%d, median of %d × %v, the servers of a row in turn\n", l.load.connections, l.rounds, l.load.duration)
}

func commit(root string) string {
	id := output("git", "-C", root, "rev-parse", "--short", "HEAD")
	if output("git", "-C", root, "status", "--porcelain") != "" {
		id += " with changes"
	}
	return id
}

func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo") // empty on machines without
	for line := range strings.Lines(string(b)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return runtime.GOARCH
}

// versions are those of Debian's packages.
func versions() []string {
	var list []string
	for _, p := range []string{"nginx", "haproxy", "passenger", "puma", "gunicorn", "python3-uvicorn", "uwsgi-core", "ruby", "ruby-rails", "python3", "nodejs", "wrk", "nghttp2-client"} {
		version := output("dpkg-query", "-W", "-f", "${Version}", p)
		list = append(list, p+" "+version)
	}
	return list
}

// output is what a command prints, "?" if it fails.
func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(out))
}
