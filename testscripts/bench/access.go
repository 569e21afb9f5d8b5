package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// accessLog is the name of our proxy's log in the directory of a server that has one.
const accessLog = "access.log"

// oursLogged is ours with an access log in JSON.
func oursLogged(app string, processes int) func(*lab, site) (command, error) {
	return func(l *lab, s site) (command, error) {
		c, err := ours(app, processes)(l, s)
		c.args = append(c.args, "--proxy=access-log=json", "--proxy=access-log-file="+filepath.Join(s.dir, accessLog))
		return c, err
	}
}

// refusals returns, for each request that our proxy has refused since the last call,
// the time from the end of its wait to the end of the answer. There are none of a
// server without a log.
func (s *server) refusals() (took []time.Duration, err error) {
	f, err := os.Open(filepath.Join(filepath.Dir(s.log), accessLog))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(s.read, io.SeekStart); err != nil {
		return nil, err
	}
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return took, nil // what stands behind the last newline is read the next time
		}
		if err != nil {
			return took, err
		}
		s.read += int64(len(line))
		var entry struct {
			Status   int     `json:"http.response.status_code"`
			Duration int64   `json:"event.duration"` // ns
			Waited   float64 `json:"passenger.queue_seconds"`
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			return took, fmt.Errorf("%s: %w", f.Name(), err)
		}
		if entry.Status == http.StatusServiceUnavailable {
			took = append(took, time.Duration(entry.Duration)-time.Duration(entry.Waited*float64(time.Second)))
		}
	}
}
