package recorder

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// A Sample is what a daemon saw in one moment.
type Sample struct {
	At time.Time

	// Begins says that the daemon started to record: what was before is over.
	Begins bool

	// Silent is why there was nothing to see, empty if there was.
	Silent string

	// About are the numbers of the daemon itself, in the order of [Columns].About.
	About []int64

	// Apps is how many apps there were. Rows are those of them that changed since
	// they were written last, or that were written long ago; LeftOut is how many
	// changed and found no room.
	Apps    int
	LeftOut int
	Rows    []Row
}

// A Row is what a daemon knows of an app, in the order of [Columns].Apps. Without
// values the app is gone.
type Row struct {
	App    string
	Values []int64
}

// written is a sample in the file.
type written struct {
	At      int64   `json:"t"` // milliseconds since 1970
	Begins  bool    `json:"begins,omitempty"`
	Silent  string  `json:"silent,omitempty"`
	About   []int64 `json:"about,omitempty"`
	Apps    int     `json:"n"`
	LeftOut int     `json:"left_out,omitempty"`
	Rows    []Row   `json:"apps,omitempty"`
}

// appendSample appends the JSON of a sample.
func appendSample(b []byte, s Sample) ([]byte, error) {
	text, err := json.Marshal(written{s.At.UnixMilli(), s.Begins, s.Silent, s.About, s.Apps, s.LeftOut, s.Rows})
	return append(b, text...), err
}

// MarshalJSON makes a row an array: ["shop",1,2].
func (r Row) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(r.App)
	if err != nil {
		return nil, err
	}
	b = append([]byte{'['}, b...)
	for _, v := range r.Values {
		b = strconv.AppendInt(append(b, ','), v, 10)
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Row) UnmarshalJSON(b []byte) error {
	var fields []json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	if len(fields) == 0 {
		return errors.New("a row without an app")
	}
	if err := json.Unmarshal(fields[0], &r.App); err != nil {
		return err
	}
	r.Values = nil
	for _, f := range fields[1:] {
		var v int64
		if err := json.Unmarshal(f, &v); err != nil {
			return fmt.Errorf("row of app %q: %w", r.App, err)
		}
		r.Values = append(r.Values, v)
	}
	return nil
}

// parseSample reads the JSON of a sample. One from outside the years that JSON has is
// none.
func parseSample(b []byte) (Sample, error) {
	var w written
	if err := json.Unmarshal(b, &w); err != nil {
		return Sample{}, err
	}
	at := time.UnixMilli(w.At)
	if year := at.UTC().Year(); year < 1 || year > 9998 { // in any zone
		return Sample{}, fmt.Errorf("a sample of the year %d", year)
	}
	return Sample{At: at, Begins: w.Begins, Silent: w.Silent, About: w.About, Apps: w.Apps, LeftOut: w.LeftOut, Rows: w.Rows}, nil
}
