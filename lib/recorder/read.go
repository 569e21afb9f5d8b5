package recorder

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"passenger/lib/status/event"
)

// A Recording is what a file has, oldest first.
type Recording struct {
	Daemon  string
	Samples []Sample
	Events  []event.Event

	// Lost is how many samples and events are missing between the first and the
	// last, or cannot be read.
	Lost int

	// Overwritten says that there were events before those that are here.
	Overwritten bool
}

// Read reads the file of a daemon, which may be writing it meanwhile. What is torn
// or cut off is counted as lost. A missing file is fs.ErrNotExist.
func Read(path string) (Recording, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return Recording{}, err
	}
	defer f.Close()
	r, err := read(f)
	if err != nil {
		return r, fmt.Errorf("recording %s: %w", path, err)
	}
	return r, nil
}

func read(f io.ReaderAt) (Recording, error) {
	var r Recording
	start := make([]byte, 256)
	n, err := f.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return r, err
	}
	line, _, _ := bytes.Cut(start[:n], []byte("\n"))
	var of int
	if _, err := fmt.Sscanf(string(line), "passenger-recorder %d %s", &of, &r.Daemon); err != nil {
		return r, errors.New("this is no recording")
	}
	if of != version {
		return r, fmt.Errorf("it has version %d of the format, and this program reads %d", of, version)
	}
	samples, err := rings[0].records(f)
	if err != nil {
		return r, err
	}
	events, err := rings[1].records(f)
	if err != nil {
		return r, err
	}
	r.Lost = gaps(samples) + gaps(events)
	r.Overwritten = len(events) > 0 && events[0].number > 0
	for _, found := range samples {
		s, err := parseSample(found.payload)
		if err != nil {
			r.Lost++
			continue
		}
		r.Samples = append(r.Samples, s)
	}
	for _, found := range events {
		var e event.Event
		if err := json.Unmarshal(found.payload, &e); err != nil {
			r.Lost++
			continue
		}
		r.Events = append(r.Events, e)
	}
	return r, nil
}

// records are those of a ring in the order in which they were written.
func (r ring) records(f io.ReaderAt) ([]record, error) {
	var found []record
	err := r.scan(f, func(one record) {
		one.payload = bytes.Clone(one.payload)
		found = append(found, one)
	})
	slices.SortStableFunc(found, func(a, b record) int { return cmp.Compare(a.number, b.number) })
	return found, err
}

// gaps is how many numbers are missing between the first and the last.
func gaps(records []record) int {
	missing := uint64(0)
	for i := 1; i < len(records); i++ {
		if step := records[i].number - records[i-1].number; step > 1 {
			missing += step - 1
		}
	}
	return int(min(missing, 1<<30)) // garbage with a right checksum may have any number
}
