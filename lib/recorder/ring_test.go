package recorder

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"passenger/lib/status/event"
)

var start = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// full is a sample as long as one may be.
func full(second int) []byte {
	b, err := appendSample(nil, Sample{At: start.Add(time.Duration(second) * time.Second), Silent: string(bytes.Repeat([]byte("x"), mostSample-60))})
	if err != nil || len(b) > mostSample {
		panic(fmt.Sprint(len(b), err))
	}
	return b
}

func opened(t *testing.T, path string) *file {
	t.Helper()
	f, err := open(path, "pool")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	return f
}

func recorded(t *testing.T, path string) Recording {
	t.Helper()
	r, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRingKeepsTheLastQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pool.recording")
	f := opened(t, path)
	const written = 3*Kept + 17
	for i := range written {
		if err := f.append(sampleKind, full(i)); err != nil {
			t.Fatal(err)
		}
	}
	r := recorded(t, path)
	if len(r.Samples) < Kept || r.Lost != 0 || r.Daemon != "pool" {
		t.Errorf("got %d samples of %q, %d lost, want %d and none lost", len(r.Samples), r.Daemon, r.Lost, Kept)
	}
	if last := r.Samples[len(r.Samples)-1].At; !last.Equal(start.Add((written - 1) * time.Second)) {
		t.Errorf("the last sample is of %v", last)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Size() != Size || fi.Mode().Perm() != 0o600 || 3*Size > 8_000_000 {
		t.Errorf("got %d bytes, mode %v, error %v; want %d, 0600, and less than 8 MB for three", fi.Size(), fi.Mode(), err, Size)
	}
}

// A flood of events drives out older events, says so, and leaves the samples.
func TestEventsHaveARingOfTheirOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pool.recording")
	r := &Recorder{file: opened(t, path)}
	if err := r.sample(Sample{At: start}); err != nil {
		t.Fatal(err)
	}
	// Output that is as long as it can be once it is written, and looks like records.
	mean := appendRecord(nil, eventKind, 7, []byte(`{"event":"forged"}`))
	var output []string
	for range 100 {
		output = append(output, string(bytes.Repeat(append(mean, 0, 1, 2, '"', '<'), 100)))
	}
	for range 1000 {
		if err := r.event(event.Event{At: start, Event: event.Exited, App: "shop", Cause: output[0], Output: output}); err != nil {
			t.Fatal(err)
		}
	}
	got := recorded(t, path)
	if len(got.Samples) != 1 || len(got.Events) < eventsSize/mostRecord || !got.Overwritten || got.Lost != 0 {
		t.Errorf("got %d samples, %d events, overwritten %v, %d lost", len(got.Samples), len(got.Events), got.Overwritten, got.Lost)
	}
	for _, e := range got.Events {
		if e.Event != event.Exited {
			t.Fatalf("got a forged event %+v", e)
		}
	}
}

// Whatever single place of the file is damaged, all other records are there.
func TestTornRecordIsLeftOut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pool.recording")
	f := opened(t, path)
	const n = 20
	for i := range n {
		if err := f.append(sampleKind, full(i)); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := headSize; at < headSize+n*2000; at += 797 {
		torn := bytes.Clone(whole)
		for i := range 50 {
			torn[at+i] ^= 0x5a
		}
		r, err := read(bytes.NewReader(torn))
		if err != nil || len(r.Samples) < n-2 {
			t.Fatalf("damage at %d: got %d samples, error %v", at, len(r.Samples), err)
		}
	}
}

// A file that is cut off gives what is left, and is replaced by who writes next.
func TestFileThatIsCutOff(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pool.recording")
	f := opened(t, path)
	for i := range 10 {
		if err := f.append(sampleKind, full(i)); err != nil {
			t.Fatal(err)
		}
	}
	f.close()
	for _, c := range []struct {
		size, samples int
	}{{Size - 1, 10}, {headSize + 5000, 2}, {headSize, 0}, {30, 0}} {
		if err := os.Truncate(path, int64(c.size)); err != nil {
			t.Fatal(err)
		}
		if r := recorded(t, path); len(r.Samples) != c.samples {
			t.Errorf("%d bytes: got %d samples, want %d", c.size, len(r.Samples), c.samples)
		}
	}
	opened(t, path)
	if fi, err := os.Stat(path); err != nil || fi.Size() != Size {
		t.Errorf("got %v, %v after it was opened to write, want a new file", fi, err)
	}
}

func TestSuccessorGoesOn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pool.recording")
	const each = 600 // the second one goes over the end of the ring
	for start := 0; start < 3*each; start += each {
		f := opened(t, path)
		for i := range each {
			if err := f.append(sampleKind, full(start+i)); err != nil {
				t.Fatal(err)
			}
		}
		f.close()
	}
	r := recorded(t, path)
	if len(r.Samples) < Kept || r.Lost != 0 {
		t.Errorf("got %d samples, %d lost", len(r.Samples), r.Lost)
	}
	for i := 1; i < len(r.Samples); i++ {
		if r.Samples[i].At.Sub(r.Samples[i-1].At) != time.Second {
			t.Fatalf("sample %d is of %v, and the one before of %v", i, r.Samples[i].At, r.Samples[i-1].At)
		}
	}
}

// What looks like the end of a record ahead of us, left by a round before, is no
// sample of now.
func TestOldRoundsAreNotTakenForNew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pool.recording")
	f := opened(t, path)
	short := []byte(`{"t":1,"n":0}`)
	for f.next[0].at < samplesSize-2*mostRecord { // short ones up to near the end
		if err := f.append(sampleKind, short); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 * Kept { // long ones, which leave a rest there
		if err := f.append(sampleKind, full(5)); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range recorded(t, path).Samples {
		if s.At.UnixMilli() == 1 {
			t.Fatal("a sample of the first round is there yet")
		}
	}
}

func FuzzRead(f *testing.F) {
	whole := append(head("pool"), make([]byte, 3000)...)
	rec := appendRecord(nil, sampleKind, 3, []byte(`{"t":1796041655815,"n":1,"about":[1,2],"apps":[["wsgi",1,-2],["gone"]]}`))
	copy(whole[headSize:], rec)
	copy(whole[headSize+len(rec):], appendRecord(nil, sampleKind, 1<<63, []byte(`{"t":-1,"apps":[[]]}`)))
	f.Add(whole)
	f.Add(head("pool"))
	f.Add([]byte("passenger-recorder 2 pool\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := read(bytes.NewReader(b))
		if err == nil && r.Daemon == "" {
			t.Error("a recording of no daemon")
		}
		if most := len(b)/recordHead + 1; len(r.Samples)+len(r.Events) > most {
			t.Errorf("%d records of %d bytes", len(r.Samples)+len(r.Events), len(b))
		}
		var p place
		if err := rings[0].scan(bytes.NewReader(b), p.follow); err != nil {
			t.Error(err)
		}
		if p.at < 0 || p.at > samplesSize || p.at%align != 0 {
			t.Errorf("the next record goes to %d", p.at)
		}
	})
}

// FuzzPayload: garbage behind a right checksum.
func FuzzPayload(f *testing.F) {
	f.Add([]byte(`{"t":1,"apps":[["a",1.5]]}`))
	f.Add([]byte(`{"t":1e400}`))
	f.Add([]byte(`{"t":9223372036854775807}`)) // no year that JSON has
	f.Add([]byte(`{"t":-9223372036854775808}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > mostRecord-recordHead {
			return
		}
		b := append(head("proxy"), appendRecord(nil, sampleKind, 0, payload)...)
		r, err := read(bytes.NewReader(b))
		if err != nil || len(r.Samples)+r.Lost != 1 {
			t.Errorf("got %d samples, %d lost, error %v, want one in all", len(r.Samples), r.Lost, err)
		}
		for _, s := range r.Samples {
			if _, err := s.At.MarshalJSON(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A disk that gives an error is an error, not an empty recording.
func TestReadErrorIsTold(t *testing.T) {
	t.Parallel()
	if _, err := read(failing{}); err == nil {
		t.Error("no error")
	}
}

type failing struct{}

func (failing) ReadAt(b []byte, at int64) (int, error) {
	if at == 0 {
		return copy(b, headLine("pool")), io.EOF
	}
	return 0, io.ErrClosedPipe
}
