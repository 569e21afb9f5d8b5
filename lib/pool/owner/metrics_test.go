package owner

import (
	"strings"
	"testing"

	"passenger/lib/control"
	"passenger/lib/pool"
	"passenger/lib/protocol"
)

func TestEndsOfRestartsAreCounted(t *testing.T) {
	t.Parallel()
	var e ends
	e.add(pool.Outcome{App: "shop"})
	e.add(pool.Outcome{App: "shop"})
	e.add(pool.Outcome{App: "shop", Err: &protocol.SpawnError{}})
	e.add(pool.Outcome{App: "shop", Err: &protocol.SpawnError{}, TakenBack: true})
	e.add(pool.Outcome{App: "blog"})
	e.forget("blog")
	var m control.Metrics
	e.metrics(&m, "shop")
	e.metrics(&m, "blog")
	for _, want := range []string{`{app="shop",result="done"} 2`, `{app="shop",result="failed"} 1`, `{app="shop",result="rolled-back"} 1`, `{app="blog",result="done"} 0`} {
		if text := string(m.Text()); !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
}

// What an app's processes do and may do stands in its metrics.
func TestLimitsOfAnApp(t *testing.T) {
	t.Parallel()
	one, three, ten := 1, 3, 10
	process := func(state protocol.State, generation, concurrency int) protocol.AppProcess {
		return protocol.AppProcess{Process: protocol.Process{State: state, Generation: generation, Concurrency: concurrency}, InFlight: 1}
	}
	app := protocol.App{
		Name: "shop", Generation: 2, Config: protocol.AppConfig{MinInstances: &one, MaxInstances: 4, QueueSize: &ten, MemoryLimit: 100},
		Processes: []protocol.AppProcess{process(protocol.Ready, 2, 5), process(protocol.Ready, 1, 5), process(protocol.Draining, 1, 0)},
	}
	text := func(a protocol.App) string {
		var m control.Metrics
		processMetrics(&m, a)
		limitMetrics(func(name, help string, value float64) { m.Gauge("passenger_app_"+name, help, value) }, a, 6)
		return string(m.Text())
	}
	for _, want := range []string{
		`processes{app="shop",state="ready"} 2`, `processes_old{app="shop"} 2`, `in_flight{app="shop"} 3`, `capacity{app="shop"} 10`,
		"processes_min 1", "processes_max 4", "queue_limit 10", "memory_limit_bytes 1.048576e+08",
	} {
		if !strings.Contains(text(app), "passenger_app_"+want+"\n") {
			t.Errorf("%s is missing in\n%s", want, text(app))
		}
	}
	app.Config, app.Instances = protocol.AppConfig{MinInstances: &one}, &three
	app.Processes = append(app.Processes, process(protocol.Ready, 2, 0))
	for _, want := range []string{"processes_min 3", "processes_max 3"} {
		if !strings.Contains(text(app), "passenger_app_"+want+"\n") {
			t.Errorf("%s is missing in\n%s", want, text(app))
		}
	}
	for _, none := range []string{"capacity", "queue_limit", "memory_limit"} {
		if strings.Contains(text(app), none) {
			t.Errorf("%s is there without a bound:\n%s", none, text(app))
		}
	}
}
