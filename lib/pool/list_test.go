package pool

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

func TestPoolAdoptsWhatRuns(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	before := w.routes
	w.crash(c)
	if len(w.starts) > 0 || w.routes != before {
		t.Fatal("acted before it heard the spawner")
	}
	w.pass(time.Minute)
	if len(w.starts) > 0 || w.routes != before {
		t.Fatal("acted after a minute without the spawner")
	}
	w.tell()
	w.want("shop", "1:ready 1:ready")
	if len(w.starts) > 0 || w.routes != before {
		t.Fatalf("%d starts, table %v", len(w.starts), w.routes)
	}
}

func TestPoolAdoptsWithoutATable(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	w := serving(t, roomy, c)
	w.restart(c, false)
	w.run()
	w.routes = nil
	w.crash(c)
	w.tell()
	w.want("shop", "2:ready")
	w.wantRoute("shop", "p002")
	if got := w.view("shop").Generation; got != 2 {
		t.Errorf("generation %d, want 2", got)
	}
}

func TestPoolReplacesWhatDiedMeanwhile(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.crash(c)
	delete(w.list, "p001")
	w.tell()
	w.want("shop", "1:ready 1:starting")
	w.wantRoute("shop", "p002")
}

func TestVersionsRiseOverRestarts(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	w := serving(t, roomy, c)
	old := *w.routes
	w.p.Remove(w.now, "shop") // the table is published but not written
	w.decide()
	lost := w.routes.Version
	w.routes = &old
	w.crash(c)
	w.tell()
	w.p.Put(w.now, settings("blog", 0, 0))
	w.decide()
	if w.routes.Version <= lost {
		t.Errorf("version %d after %d, which proxies have", w.routes.Version, lost)
	}
	w.p.Reported(w.now, "proxy", protocol.ProxyReport{RoutesVersion: 5000})
	w.decide()
	if w.routes.Version <= 5000 {
		t.Errorf("version %d, and a proxy has 5000", w.routes.Version)
	}
}

func TestDrainingGoesOnAfterTheDeathOfThePool(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	w := serving(t, roomy, c)
	w.inFlight("p001", 1)
	w.restart(c, false)
	w.ready()
	w.pass(settleTime)
	w.useTable()
	w.wantRoute("shop", "p001(draining) p002")
	w.crash(c)
	w.tell()
	w.reports()
	w.want("shop", "1:draining 2:ready")
	w.inFlight("p001", 0)
	w.want("shop", "1:stopping 2:ready")
}

func TestProcessesOfAppsNoLongerConfiguredGo(t *testing.T) {
	t.Parallel()
	shop, blog := settings("shop", 1, 0), settings("blog", 1, 0)
	w := serving(t, roomy, shop, blog)
	w.crash(shop)
	w.wantRoute("blog", "p001") // until the spawner is heard
	w.tell()
	w.reports()
	w.wantRoute("blog", "none")
	w.run()
	w.want("blog", "none")
	w.want("shop", "1:ready")
}

func TestAppsWhoseSettingsCannotBeReadAreLeftAlone(t *testing.T) {
	t.Parallel()
	shop, blog := settings("shop", 1, 0), settings("blog", 1, 0)
	w := serving(t, roomy, shop, blog)
	w.starts, w.stops = nil, nil
	w.p = w.newPool(w.routes)
	w.p.Put(w.now, shop)
	w.p.Hold(true)
	w.decide()
	w.tell()
	w.reports()
	w.pass(time.Hour)
	w.want("blog", "1:ready")
	w.wantRoute("blog", "p001")
	w.p.Put(w.now, blog) // mended
	w.p.Hold(false)
	w.decide()
	w.want("blog", "1:ready")
}

func TestTableSurvivesItsFile(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	c.ServerNames = []string{"shop.example.com"}
	w := serving(t, roomy, c)
	b, err := json.Marshal(w.routes)
	if err != nil {
		t.Fatal(err)
	}
	var read protocol.Routes
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	w.p = w.newPool(&read)
	w.p.Put(w.now, c)
	w.tell()
	if got := read.Apps[0].Processes[0].SessionForm; got != protocol.SessionApart {
		t.Errorf("got form %d of the session protocol in the table, want what the process said", got)
	}
	if w.last.Routes != nil {
		t.Errorf("published again:\n%s", cmp.Diff(&read, w.last.Routes))
	}
}

func TestUnchangedTableIsNotPublished(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 2, 0))
	n := w.tables
	w.pass(time.Minute)
	w.tell()
	w.inFlight("p001", 1)
	if w.tables != n {
		t.Errorf("%d tables, want %d", w.tables, n)
	}
}

func TestProcessStaysInTheTableWhileTheSpawnerIsDown(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.p.SpawnerLost()
	w.pass(time.Minute)
	w.wantRoute("shop", "p001")
	if w.p.Apps(w.now).SpawnerUp {
		t.Error("the spawner is said to be up")
	}
}

func TestLateListDoesNotBringAProcessBack(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	late := w.list["p001"]
	w.p.Remove(w.now, "shop")
	w.decide()
	w.useTable()
	w.stopped()
	w.put("p001", late)
	w.tell()
	w.want("shop", "none")
}

func TestProcessStoppedByAnotherIsReplaced(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	r := w.list["p001"]
	r.State = protocol.Stopping
	w.put("p001", r)
	w.tell()
	w.want("shop", "1:stopping 1:starting")
	w.wantRoute("shop", "p001(draining)")
}

func TestAppAddedAgainWhileItIsRemoved(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	w := serving(t, roomy, c)
	w.inFlight("p001", 1)
	w.p.Remove(w.now, "shop")
	w.decide()
	w.wantRoute("shop", "none")
	w.p.Put(w.now, c)
	w.decide()
	w.want("shop", "1:draining 1:starting")
	w.inFlight("p001", 0)
	w.run()
	w.want("shop", "1:ready")
	if len(w.removed) > 0 {
		t.Errorf("removed: %v", w.removed)
	}
}

func TestClashesNameBoth(t *testing.T) {
	t.Parallel()
	p := newWorld(t, roomy).p
	shop := settings("shop", 1, 0)
	shop.BaseURI, shop.ServerNames = "/", []string{"a.example", "b.example"}
	p.Put(epoch, shop)
	for _, tt := range []struct {
		name   string
		change func(c *protocol.AppConfig)
		want   string
	}{
		{"another name", func(c *protocol.AppConfig) { c.ServerNames = []string{"c.example"} }, ""},
		{"any host", func(c *protocol.AppConfig) { c.ServerNames = nil }, ""},
		{"another path", func(c *protocol.AppConfig) { c.BaseURI = "/blog" }, ""},
		{"a host", func(c *protocol.AppConfig) { c.ServerNames = []string{"b.example"} },
			`apps "shop" (/srv/shop) and "blog" (/srv/blog) both claim "/" for host "b.example"`},
		{"the name", func(c *protocol.AppConfig) { c.Name = "shop" },
			`app "shop" is /srv/shop, and /srv/blog claims the same name`},
		{"itself", func(c *protocol.AppConfig) { *c = shop }, ""},
	} {
		c := settings("blog", 1, 0)
		c.BaseURI, c.ServerNames = "/", shop.ServerNames
		tt.change(&c)
		got := ""
		if err := p.Check(c); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A version that no pool can have published is not believed: the version after it
// would be 0, and every proxy would take the tables for old ones.
func TestVersionsDoNotWrap(t *testing.T) {
	t.Parallel()
	for _, version := range []uint64{1<<64 - 1, 1<<64 - 2, 1 << 63, mostVersion + 1000} {
		w := serving(t, roomy, settings("shop", 1, 0))
		before := w.routes.Version
		w.lagging = true
		w.report.RoutesVersion = version
		w.reports()
		w.p.Detach(w.now, "p001")
		w.decide()
		if got := w.routes.Version; got <= before || got > before+10 {
			t.Errorf("after a report of version %d: table version %d, was %d", version, got, before)
		}
		if w.p.Used(w.now, before+1) {
			t.Errorf("a report of version %d counts as one of a newer table", version)
		}
	}
	// A file that says so was damaged.
	w := serving(t, roomy, settings("shop", 1, 0))
	w.routes.Version = 1<<64 - 3
	before := w.routes
	w.p = w.newPool(before)
	if d := w.p.Decide(w.now); d.Routes == nil || d.Routes.Version < mostVersion {
		t.Errorf("got %+v, want a version that is high and leaves room", d.Routes)
	}
}

func TestHighVersionOfAFormerPoolIsExceeded(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.report.RoutesVersion = mostVersion
	w.lagging = true
	w.reports()
	if got := w.routes.Version; got != mostVersion+1 {
		t.Fatalf("table version %d, want %d", got, uint64(mostVersion+1))
	}
	w.lagging = false
	w.reports()
	w.crash(settings("shop", 1, 0))
	w.tell()
	w.reports()
	w.p.Detach(w.now, "p001")
	w.decide()
	if got := w.routes.Version; got <= mostVersion+1 {
		t.Errorf("table version %d after the death of the pool", got)
	}
}

// The outcome of a spawn comes by another way than the list, which may be older.
func TestListThatIsOlderThanASpawnTakesNothingAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	old := protocol.ProcessList{}
	w.ready()
	w.p.Listed(w.now, old)
	w.decide()
	w.want("shop", "1:ready")
	w.tell()
	w.pass(2 * listTime)
	w.want("shop", "1:ready")
	w.p.Listed(w.now, old)
	w.decide()
	w.want("shop", "1:starting") // it was listed, and is no more

	w.ready()
	w.p.Listed(w.now, old)
	w.decide()
	w.want("shop", "1:ready")
	w.pass(listTime)
	w.want("shop", "1:starting") // no list ever had it
}

// A pool that was not told the whole has no use for what changed of it.
func TestChangesOfAReportThatIsNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	for _, step := range []struct {
		what   string
		report protocol.ProxyReport
		kept   bool
	}{
		{"changes first", protocol.ProxyReport{Changes: true}, false},
		{"the whole", protocol.ProxyReport{}, true},
		{"changes", protocol.ProxyReport{Changes: true}, true},
		{"of a version that no pool made", protocol.ProxyReport{Changes: true, RoutesVersion: 1 << 60}, false},
		{"the last word", protocol.ProxyReport{Changes: true, Leaving: true}, true},
		{"changes after that", protocol.ProxyReport{Changes: true}, false},
	} {
		if kept := w.p.Reported(w.now, "one", step.report); kept != step.kept {
			t.Errorf("%s: kept %v, want %v", step.what, kept, step.kept)
		}
	}
	w.p.Reported(w.now, "one", protocol.ProxyReport{})
	w.now = w.now.Add(protocol.ReportExpiry)
	w.decide()
	if w.p.Reported(w.now, "one", protocol.ProxyReport{Changes: true}) {
		t.Error("a proxy that was silent for too long is still known")
	}
}
