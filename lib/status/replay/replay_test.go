package replay

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/recorder"
	"passenger/lib/statedir"
	"passenger/lib/status/event"
)

var began = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time {
	return began.Add(time.Duration(seconds * float64(time.Second)))
}

// proxy is a sample of a proxy: requests, errors, rejected, queued, wait, upgraded.
func proxy(at float64, rows ...recorder.Row) recorder.Sample {
	return recorder.Sample{At: after(at), About: []int64{7}, Apps: 1, Rows: rows}
}

func shop(values ...int64) recorder.Row { return recorder.Row{App: "shop", Values: values} }

// begun is the first sample of a daemon, crowded one that has no room for all apps.
func begun(s recorder.Sample) recorder.Sample   { s.Begins = true; return s }
func crowded(s recorder.Sample) recorder.Sample { s.LeftOut = 1; return s }

func TestSamplesBecomeSteps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step    time.Duration
		samples []recorder.Sample
		column  string
		want    []int64 // -1 where there is none
	}{
		"counters rise":             {time.Second, []recorder.Sample{proxy(0.5, shop(10)), proxy(1.5, shop(14)), proxy(2.5, shop(20))}, "requests", []int64{0, 4, 6}},
		"the largest queue":         {3 * time.Second, []recorder.Sample{proxy(0.5, shop(0, 0, 0, 9)), proxy(1.5, shop(0, 0, 0, 2))}, "queued", []int64{9}},
		"a row stands":              {time.Second, []recorder.Sample{proxy(0.5, shop(0, 0, 0, 9)), proxy(1.5)}, "queued", []int64{9, 9}},
		"before the time":           {time.Second, []recorder.Sample{proxy(-5, shop(10, 0, 0, 9)), proxy(0.5), proxy(1.5, shop(11))}, "requests", []int64{0, 1}},
		"a second between":          {time.Second, []recorder.Sample{proxy(0.9, shop(1, 0, 0, 3)), proxy(2.1)}, "queued", []int64{3, 3, 3}},
		"a pause":                   {time.Second, []recorder.Sample{proxy(0.9, shop(1, 0, 0, 3)), proxy(4.1)}, "queued", []int64{3, 3}},
		"the app is gone":           {time.Second, []recorder.Sample{proxy(0.5, shop(1)), proxy(1.5, shop())}, "requests", []int64{0, -1}},
		"a counter begins anew":     {time.Second, []recorder.Sample{proxy(0.5, shop(100)), proxy(1.5, shop(3))}, "requests", []int64{0, 0}},
		"an app that is new":        {time.Second, []recorder.Sample{begun(proxy(0.5)), proxy(1.5, shop(3))}, "requests", []int64{-1, 3}},
		"an app that was left out":  {time.Second, []recorder.Sample{crowded(begun(proxy(0.5))), proxy(1.5, shop(3))}, "requests", []int64{-1, 0}},
		"the daemon begins anew":    {30 * time.Second, []recorder.Sample{proxy(0.5, shop(1)), proxy(1.5, shop(3)), begun(proxy(20, shop(5)))}, "requests", []int64{2}},
		"columns of a newer writer": {time.Second, []recorder.Sample{proxy(0.5, shop(1, 2, 3, 4, 5, 6, 7, 8, 9))}, "upgraded", []int64{6}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := timeline{from: began, step: c.step, apps: map[string]*track{}, steps: map[int]*Step{}}
			lines.play("proxy", c.samples)
			var got []int64
			for _, s := range lines.list() {
				v, known := s.sum(c.column)
				if !known {
					v = -1
				}
				got = append(got, v)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.column, diff)
			}
		})
	}
}

func TestOnlyOneApp(t *testing.T) {
	t.Parallel()
	lines := timeline{from: began, step: time.Second, app: "shop", apps: map[string]*track{}, steps: map[int]*Step{}}
	lines.play("proxy", []recorder.Sample{proxy(0.5, shop(1), recorder.Row{App: "blog", Values: []int64{1}})})
	if got := lines.list()[0].Apps; len(got) != 1 || got[0].App != "shop" {
		t.Errorf("got %v", got)
	}
}

func TestStepIsWholeSeconds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		q    Query
		want time.Duration
	}{
		{Query{Since: 10 * time.Minute}, 15 * time.Second},
		{Query{Since: 10 * time.Second}, time.Second},
		{Query{Since: time.Minute, Step: 1500 * time.Millisecond}, 2 * time.Second},
		{Query{Since: time.Nanosecond, Step: time.Nanosecond}, time.Second},
	} {
		if got := stepOf(c.q); got != c.want {
			t.Errorf("%+v: got %v, want %v", c.q, got, c.want)
		}
	}
}

func TestEventsAreToldOnce(t *testing.T) {
	t.Parallel()
	e := event.Event{At: after(3), Event: event.Started, App: "shop", Process: "aa"}
	other := e
	other.Process = "bb"
	early := e
	early.At = after(-3)
	if got := chosen([]event.Event{early, e, e, other}, began, "shop"); len(got) != 2 {
		t.Errorf("got %v", got)
	}
	if got := chosen([]event.Event{e}, began, "blog"); len(got) != 0 {
		t.Errorf("got %v of another app", got)
	}
}

// What is missing is said: lost records, apps without room, events overwritten.
func TestTextSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	r := Replay{
		From: began, To: after(60), Step: 30,
		Recordings: []Recording{
			{Part: "spawn", File: "/s/spawn.recording", Error: "no such file", missing: true},
			{Part: "pool", Error: "this is no \x1b[2J recording"},
			{Part: "proxy", Samples: 60, From: after(1), To: after(60), Lost: 2, LeftOut: 40, LeftOutSamples: 12, EventsFrom: after(30)},
		},
		Steps: []Step{
			{At: after(0), Seconds: 30, Apps: []App{{"shop", map[string]int64{"requests": 60, "errors": 3, "queued": 2, "oldest_wait_milliseconds": 250}}}},
			{At: after(30), Seconds: 15, Apps: []App{{"shop", map[string]int64{"requests": 30, "processes": 2, "memory_bytes": 1 << 30, "cpu_milliseconds": 7500}}}, Silent: map[string]string{"pool": "deadline"}},
		},
		Events: []event.Event{{At: after(10), Event: event.Exited, App: "shop", PID: 7, Cause: "killed\x1b[2J"}, {At: after(59), Event: event.Refused, App: "shop"}},
	}
	local := func(s float64) string { return after(s).Local().Format("15:04:05") }
	day := began.Local().Format("2006-01-02 ")
	want := `passenger-spawn: there is no /s/spawn.recording
passenger-pool: this is no \x1b[2J recording
passenger-proxy: 60 samples, ` + local(1) + ` to ` + local(60) + `
    2 records are lost
    12 samples had no room for all apps: up to 40 apps that changed were left out, the least busy ones, and came later
    so much happened that what was before ` + local(30) + ` is overwritten
` + day + local(0) + ` to ` + local(60) + `, in steps of 30s

TIME      PROCESSES  STARTING  BUSY  QUEUED   WAIT  REQUESTS/S  ERRORS/S   MEMORY  CPU
` + local(0) + `          -         -     -       2  0.3s         2.0       0.1        -    -
  ` + day + local(10) + `  exited  shop, pid 7: killed\x1b[2J
` + local(30) + `          2         -     -       -      -         2.0         -  1024 MiB  50%
    passenger-pool gave no answer to itself: deadline
  ` + day + local(59) + `  refused  shop
`
	if diff := cmp.Diff(columns(want), columns(r.Text(false))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := r.Unread(); err == nil || !strings.Contains(err.Error(), "passenger-pool") || strings.Contains(err.Error(), "spawn") {
		t.Errorf("got %v, want an error that names the pool's", err)
	}
}

// columns leaves of several spaces one: how wide they are is the table's affair.
func columns(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func TestNothingRecorded(t *testing.T) {
	t.Parallel()
	dir := statedir.At(t.TempDir())
	if _, err := Read(dir, Query{Since: time.Minute}); err != ErrNothing {
		t.Errorf("got %v, want %v", err, ErrNothing)
	}
	if err := os.WriteFile(dir.Recording("pool"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Read(dir, Query{Since: time.Minute})
	if err != nil || r.Unread() == nil {
		t.Errorf("got %v; then %v, want an error that says what cannot be read", err, r.Unread())
	}
	if text := r.Text(false); !strings.Contains(text, "nothing was recorded in that time") {
		t.Errorf("got %q", text)
	}
}
