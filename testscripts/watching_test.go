package testscripts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"passenger/lib/statedir"
)

// A sample is one line of a daemon's metrics.
type sample struct {
	name   string
	labels map[string]string
	value  float64
	rises  bool // it is of a counter or a histogram
}

var (
	sampleLine = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? ([^ ]+)$`)
	labelPair  = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
)

// parseMetrics reads the text of a daemon's metrics. families are the names in it
// that have a type.
func parseMetrics(text string) (samples []sample, families map[string]string, err error) {
	families = map[string]string{}
	rises := false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			if families[name] != "" {
				return nil, nil, fmt.Errorf("metric %s begins twice", name)
			}
			families[name], rises = kind, kind != "gauge"
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			return nil, nil, fmt.Errorf("no sample: %q", line)
		}
		s := sample{name: m[1], labels: map[string]string{}, rises: rises}
		for _, pair := range labelPair.FindAllStringSubmatch(m[2], -1) {
			s.labels[pair[1]] = pair[2]
		}
		if s.value, err = strconv.ParseFloat(m[3], 64); err != nil {
			return nil, nil, err
		}
		samples = append(samples, s)
	}
	return samples, families, nil
}

// cmdCheckMetrics has promtool check a scrape in a file, or what each daemon
// measures. Then it makes sure, too, that a metric is of one daemon only, unless the
// label part tells whose it is:
// check-metrics [FILE]
func cmdCheckMetrics(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case neg || len(args) > 1:
		ts.Fatalf("usage: check-metrics [FILE]")
	case len(args) == 1:
		lintMetrics(ts, args[0], []byte(ts.ReadFile(args[0])))
		return
	}
	owner := map[string]string{}
	for _, daemon := range []string{statedir.Spawn, statedir.Pool, statedir.Proxy} {
		text, err := worldOf(ts).metrics(daemon)
		ts.Check(err)
		lintMetrics(ts, daemon, text)
		samples, families, err := parseMetrics(string(text))
		ts.Check(err)
		for _, s := range samples {
			if part := s.labels["part"]; part != "" {
				delete(families, s.name)
				if part != daemon {
					ts.Fatalf("%s of %s has part=%q", s.name, daemon, part)
				}
			}
		}
		for name := range families {
			if other := owner[name]; other != "" {
				ts.Fatalf("%s is a metric of both %s and %s, without the label part", name, other, daemon)
			}
			owner[name] = daemon
		}
	}
}

// lintMetrics has promtool check metrics of a source that is named.
func lintMetrics(ts *testscript.TestScript, source string, text []byte) {
	lint := exec.Command(promtool(ts), "check", "metrics")
	lint.Stdin = bytes.NewReader(text)
	if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
		ts.Fatalf("promtool check metrics of %s: %v\n%s", source, err, out)
	}
}

// promtool is the path of that program, which prepare.sh installs.
func promtool(ts *testscript.TestScript) string {
	path, err := exec.LookPath("promtool")
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(dir, "promtool"))
		}
	}
	if err != nil {
		ts.Fatalf("%v; run testscripts/prepare.sh", err)
	}
	return path
}

// A query is an expression of PromQL in a file.
type query struct {
	where, expr string
	shows       bool // it is of a panel, which has something to show of a sound machine
}

// cmdCheckQueries checks the rules and dashboards in lib/dist against what the
// daemons measure now: each metric is there with the labels that are asked for, and
// each panel has something to show.
func cmdCheckQueries(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: check-queries")
	}
	dist := filepath.Join(ts.Getenv("REPO"), "lib/dist")
	rules := filepath.Join(dist, "prometheus/passenger.rules.yml")
	queries, err := panelQueries(filepath.Join(dist, "grafana"))
	ts.Check(err)
	text, err := os.ReadFile(rules)
	ts.Check(err)
	var samples []sample
	for _, daemon := range []string{statedir.Spawn, statedir.Pool, statedir.Proxy} {
		metrics, err := worldOf(ts).metrics(daemon)
		ts.Check(err)
		some, _, err := parseMetrics(string(metrics))
		ts.Check(err)
		samples = append(samples, some...)
	}
	known := labelsOf(samples)
	for _, m := range regexp.MustCompile(`record: (\S+)`).FindAllStringSubmatch(string(text), -1) {
		known[m[1]] = map[string]bool{"app": true, "instance": true, "job": true}
	}
	var wrong []string
	for _, q := range slices.Concat(queries, ruleQueries(rules, string(text))) {
		for _, fault := range faults(q.expr, known) {
			wrong = append(wrong, q.where+": "+fault+" in "+q.expr)
		}
	}
	if len(wrong) > 0 {
		ts.Fatalf("%s", strings.Join(wrong, "\n"))
	}
	file := filepath.Join(ts.Getenv("WORK"), "panels.test.yml")
	ts.Check(os.WriteFile(file, panelTest(rules, samples, queries), 0o644))
	if out, err := exec.Command(promtool(ts), "test", "rules", file).CombinedOutput(); err != nil {
		ts.Fatalf("a panel would be empty, or its expression is wrong:\n%s", out)
	}
	ts.Logf("%d expressions of panels, %d metrics", len(queries), len(known))
}

// labelsOf are the labels of each metric. Prometheus adds two.
func labelsOf(samples []sample) map[string]map[string]bool {
	known := map[string]map[string]bool{}
	for _, s := range samples {
		if known[s.name] == nil {
			known[s.name] = map[string]bool{"instance": true, "job": true}
		}
		for label := range s.labels {
			known[s.name][label] = true
		}
	}
	return known
}

// panelQueries are the expressions of the dashboards in a directory.
func panelQueries(dir string) (queries []query, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if len(files) == 0 {
		return nil, fmt.Errorf("no dashboards in %s: %w", dir, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var board any
		if err := json.Unmarshal(text, &board); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		queries = append(queries, queriesIn(filepath.Base(file), board)...)
	}
	return queries, nil
}

var (
	variables   = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".+", "$app", ".+")
	labelValues = regexp.MustCompile(`^label_values\((.*), ([a-z_]+)\)$`)
)

// queriesIn finds them anywhere in a dashboard: of panels, of annotations, which
// often have nothing to show, and of variables, which ask for the values of a label.
func queriesIn(where string, v any) (queries []query) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			queries = append(queries, queriesIn(where, e)...)
		}
	case map[string]any:
		if title, ok := v["title"].(string); ok {
			where += ", " + title
		}
		if expr, ok := v["expr"].(string); ok {
			_, annotates := v["titleFormat"]
			queries = append(queries, query{where, variables.Replace(expr), !annotates})
		}
		if text, ok := v["query"].(string); ok {
			if m := labelValues.FindStringSubmatch(text); m != nil {
				queries = append(queries, query{where, "count by (" + m[2] + ") (" + variables.Replace(m[1]) + ")", true})
			}
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			queries = append(queries, queriesIn(where, v[key])...)
		}
	}
	return queries
}

// ruleQueries are the expressions of a file of rules, in one line each or folded.
func ruleQueries(where, text string) (queries []query) {
	for _, m := range regexp.MustCompile(`(?m)^ +(?:- )?(?:record|alert): (\S+)\n +expr: (>\n(?: {10}.*\n)+|.*\n)`).FindAllStringSubmatch(text, -1) {
		queries = append(queries, query{where: filepath.Base(where) + ", " + m[1], expr: strings.TrimPrefix(m[2], ">")})
	}
	return queries
}

var (
	metricName = regexp.MustCompile(`(passenger_[a-z0-9_]+|instance_app:[a-z0-9_:]+)(?:\{([^}]*)\})?`)
	matcher    = regexp.MustCompile(`([a-z_]+) *[!=]`)
	grouping   = regexp.MustCompile(`\b(?:by|on|without|ignoring) *\(([^)]*)\)`)
	quoted     = regexp.MustCompile(`"[^"]*"`)
)

// faults are the metrics and labels of an expression that there are not.
func faults(expr string, known map[string]map[string]bool) (list []string) {
	all := map[string]bool{}
	for _, m := range metricName.FindAllStringSubmatch(expr, -1) {
		labels := known[m[1]]
		if labels == nil {
			list = append(list, "no metric "+m[1])
			continue
		}
		maps.Copy(all, labels)
		for _, l := range matcher.FindAllStringSubmatch(quoted.ReplaceAllString(m[2], ""), -1) {
			if !labels[l[1]] {
				list = append(list, "no label "+l[1]+" of "+m[1])
			}
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			if label = strings.TrimSpace(label); label != "" && !all[label] && len(all) > 0 {
				list = append(list, "no label "+label)
			}
		}
	}
	return list
}

// panelTest is a test for promtool, in JSON, which is YAML: for an hour everything
// stays as it is or rises steadily; then no panel is empty.
func panelTest(rules string, samples []sample, queries []query) []byte {
	type object = map[string]any
	var series, tests []object
	for _, s := range samples {
		labels := []string{`instance="a"`, `job="passenger"`}
		for _, name := range slices.Sorted(maps.Keys(s.labels)) {
			labels = append(labels, name+`="`+s.labels[name]+`"`)
		}
		values := strconv.FormatFloat(s.value, 'f', -1, 64) + "x60"
		if s.rises {
			values = "0+" + values
		}
		series = append(series, object{"series": s.name + "{" + strings.Join(labels, ", ") + "}", "values": values})
	}
	for _, q := range queries {
		expr := q.expr
		if !q.shows {
			expr = "(" + expr + ") or vector(0)"
		}
		tests = append(tests, object{"expr": "absent(" + expr + ")", "eval_time": "1h", "exp_samples": []any{}})
	}
	text, err := json.MarshalIndent(object{
		"rule_files": []string{rules}, "evaluation_interval": "1m",
		"tests": []object{{"interval": "1m", "input_series": series, "promql_expr_test": tests}},
	}, "", " ")
	if err != nil {
		panic(err) // it has no cycles and no channels
	}
	return text
}
