package pool

import (
	"testing"
	"time"
)

// The judge's whole table: states and evidence, and what comes of them.
func TestJudge(t *testing.T) {
	t.Parallel()
	good, quick := counts{processed: 1000}, counts{processed: 1000, took: 5}
	bad := counts{processed: 20, errors: 20}
	for _, tt := range []struct {
		name string
		rate *float64
		e    evidence
		want verdict
	}{
		{"it loads", nil, evidence{stage: noneServes, fallback: true}, undecided},
		{"it loads and nothing is left", nil, evidence{stage: noneServes}, undecided},
		{"it serves", nil, evidence{stage: someServe, fallback: true, before: good, after: good}, undecided},
		{"it is proven", nil, evidence{stage: proven, fallback: true, before: good, after: good}, accepted},
		{"it is proven, unasked", nil, evidence{stage: proven, fallback: true}, accepted},
		{"it is proven, with nothing to go back to", nil, evidence{stage: proven}, accepted},

		{"its side process starts", nil, evidence{stage: proven, fallback: true, muster: awaited}, undecided},
		{"its side process starts before it is proven", nil, evidence{stage: someServe, fallback: true, muster: broken}, undecided},
		{"its side process failed", nil, evidence{stage: proven, fallback: true, muster: broken}, crippled},
		{"its side process failed with nothing to go back to", nil, evidence{stage: proven, muster: broken}, crippled},
		{"errors say more than a side process", nil, evidence{stage: proven, fallback: true, before: good, after: bad, muster: broken}, erring},

		{"its start failed", nil, evidence{stage: noneServes, fallback: true, failed: true}, unstarted},
		{"its start failed with nothing to go back to", nil, evidence{stage: noneServes, failed: true}, unstarted},
		{"a later start failed", nil, evidence{stage: someServe, fallback: true, failed: true}, undecided},
		{"a later start failed, and the rest is proven", nil, evidence{stage: proven, fallback: true, failed: true}, accepted},

		{"its only process died", nil, evidence{stage: noneServes, fallback: true, died: true}, dead},
		{"one of several died", nil, evidence{stage: someServe, fallback: true, died: true}, dead},
		{"one died in the last moment", nil, evidence{stage: proven, fallback: true, died: true}, dead},
		{"all died with nothing to go back to", nil, evidence{stage: noneServes, died: true}, dead},
		{"one of several died with nothing to go back to", nil, evidence{stage: someServe, died: true}, undecided},
		{"death says more than a failed start", nil, evidence{stage: noneServes, fallback: true, died: true, failed: true}, dead},

		{"far worse than before", nil, evidence{stage: someServe, fallback: true, before: good, after: bad}, erring},
		{"far worse in the last moment", nil, evidence{stage: proven, fallback: true, before: good, after: bad}, erring},
		{"far worse with nothing to go back to", nil, evidence{stage: someServe, before: good, after: bad}, undecided},
		{"errors and nothing known of before", nil, evidence{stage: someServe, fallback: true, after: bad}, undecided},
		{"few requests before", nil, evidence{stage: proven, fallback: true, before: counts{processed: 9}, after: bad}, accepted},
		{"few answers so far", nil, evidence{stage: someServe, fallback: true, before: good, after: counts{processed: 9, errors: 9}}, undecided},
		{"as bad as ever", nil, evidence{stage: proven, fallback: true, before: counts{processed: 50, errors: 50}, after: bad}, accepted},
		{"half of it was bad before", nil, evidence{stage: someServe, fallback: true, before: counts{processed: 100, errors: 50}, after: bad}, undecided},
		{"a third of it was bad before", nil, evidence{stage: someServe, fallback: true, before: counts{processed: 90, errors: 30}, after: bad}, erring},
		{"a quarter is the limit", nil, evidence{stage: someServe, fallback: true, before: good, after: counts{processed: 20, errors: 5}}, undecided},
		{"over a quarter", nil, evidence{stage: someServe, fallback: true, before: good, after: counts{processed: 19, errors: 5}}, erring},
		{"four errors are few", nil, evidence{stage: someServe, fallback: true, before: good, after: counts{processed: 10, errors: 4}}, undecided},

		{"over the share that is set", new(0.1), evidence{stage: someServe, fallback: true, after: counts{processed: 100, errors: 11}}, erring},
		{"at the share that is set", new(0.1), evidence{stage: someServe, fallback: true, after: counts{processed: 100, errors: 10}}, undecided},
		{"over the share, few answers", new(0.1), evidence{stage: someServe, fallback: true, after: counts{processed: 9, errors: 9}}, undecided},
		{"under the share, far worse than before", new(0.5), evidence{stage: proven, fallback: true, before: good, after: counts{processed: 10, errors: 5}}, accepted},
		{"errors are not looked at", new(0.0), evidence{stage: proven, fallback: true, before: good, after: bad}, accepted},
		{"errors are not looked at, deaths are", new(0.0), evidence{stage: someServe, fallback: true, died: true}, dead},

		{"it hangs", nil, evidence{stage: proven, fallback: true, stuck: true, before: quick}, stalled},
		{"it hangs, but not for long", nil, evidence{stage: someServe, fallback: true, stuck: true, before: quick}, undecided},
		{"it is slow", nil, evidence{stage: proven, fallback: true, stuck: true, before: quick, after: counts{processed: 1}}, accepted},
		{"it was always slow", nil, evidence{stage: proven, fallback: true, stuck: true, before: counts{processed: 1000, took: 1000}}, accepted},
		{"it hangs with nothing to go back to", nil, evidence{stage: proven, stuck: true, before: quick}, accepted},
	} {
		if got := (rule{rate: tt.rate}).judge(tt.e); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// A canary is compared more closely, and by its times too.
func TestJudgeOfACanary(t *testing.T) {
	t.Parallel()
	before := counts{processed: 1000, errors: 10, took: 50} // 50 ms each
	for _, tt := range []struct {
		name   string
		rate   *float64
		before counts
		after  counts
		stage  stage
		want   verdict
	}{
		{"as good", nil, before, counts{processed: 100, errors: 1, took: 5}, someServe, undecided},
		{"as good to the end", nil, before, counts{processed: 100, errors: 1, took: 5}, proven, accepted},
		{"unasked to the end", nil, before, counts{}, proven, accepted},
		{"errors in six of a hundred", nil, before, counts{processed: 100, errors: 6}, someServe, undecided},
		{"errors in seven of a hundred", nil, before, counts{processed: 100, errors: 7}, someServe, erring},
		{"four errors", nil, before, counts{processed: 30, errors: 4}, someServe, undecided},
		{"under the share that is set", new(0.1), before, counts{processed: 100, errors: 9}, someServe, undecided},
		{"over the share that is set", new(0.1), before, counts{processed: 100, errors: 11}, someServe, erring},
		{"thrice as slow", nil, before, counts{processed: 100, took: 16}, someServe, slow},
		{"thrice as slow, few answers", nil, before, counts{processed: 19, took: 16}, someServe, undecided},
		{"thrice as slow as few", nil, counts{processed: 19, took: 1}, counts{processed: 100, took: 16}, someServe, undecided},
		{"twice as slow", nil, before, counts{processed: 100, took: 10}, someServe, undecided},
		{"thrice as slow, within a tenth of a second", nil, counts{processed: 1000, took: 10}, counts{processed: 100, took: 3}, someServe, undecided},
		{"far slower, and no one looks", new(0.0), before, counts{processed: 100, errors: 100, took: 100}, someServe, undecided},
	} {
		r := rule{rate: tt.rate, canary: true}
		if got := r.judge(evidence{stage: tt.stage, fallback: true, before: tt.before, after: tt.after}); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestHistoryIsAMinute(t *testing.T) {
	t.Parallel()
	var h history
	now := epoch
	for range 100 {
		h.add(now, counts{processed: 2, errors: 1})
		now = now.Add(time.Second)
	}
	if got := h.sum(now); got.processed < 2*55 || got.processed > 2*60 || got.errors != got.processed/2 {
		t.Errorf("got %+v, want about 120 answers, half of them errors", got)
	}
	if got := h.sum(now.Add(time.Minute)); got != (counts{}) {
		t.Errorf("got %+v after a minute of silence, want nothing", got)
	}
	h.add(now.Add(-time.Hour), counts{processed: 1}) // the clock was set
	if got := h.sum(now.Add(-time.Hour)); got.processed != 1 {
		t.Errorf("got %+v, want one answer", got)
	}
}

func TestTellingLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		want  string
		lines []string
	}{
		{"Error: listen EADDRINUSE: address already in use 127.0.0.1:9394", []string{
			"node:events:497", "      throw er; // Unhandled 'error' event", "      ^", "",
			"Error: listen EADDRINUSE: address already in use 127.0.0.1:9394",
			"    at Server.setupListenHandle [as _listen2] (node:net:1817:16)", "  code: 'EADDRINUSE',", "}", "", "Node.js v20.1.0",
		}},
		{"OSError: [Errno 98] Address already in use", []string{
			"Traceback (most recent call last):", "  File \"/srv/app.py\", line 3, in <module>", "    raise ValueError", "OSError: [Errno 98] Address already in use",
		}},
		{"app.rb:2:in `initialize': Address already in use - bind(2) for 127.0.0.1:9394 (Errno::EADDRINUSE)", []string{
			"app.rb:2:in `initialize': Address already in use - bind(2) for 127.0.0.1:9394 (Errno::EADDRINUSE)", "\tfrom app.rb:2:in `new'",
		}},
		{"", []string{"listening", "bye"}},
		{"", nil},
	} {
		if got := telling(tt.lines); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
