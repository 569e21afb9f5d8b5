package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A standing is what a row says of ours beside one other, or of ours alone: a line of
// the summary.
type standing struct {
	row    string
	ours   string
	beside string // name and number of the other
	ratio  string // with its spread
	cpu    string // the ratio of the CPU per request, where it is not that already
	goal   string
	reach  string // "reached", "NOT reached" or why there is no number
}

// toReach is the goal and what became of it.
func (s standing) toReach() string {
	if s.goal == "" || s.reach == "" {
		return s.goal + s.reach
	}
	return s.goal + ": " + s.reach
}

// printRow prints a row's servers, each with how ours compares to it, and returns
// its lines of the summary.
func printRow(w io.Writer, r row, results []result, spent spending) []standing {
	fmt.Fprintf(w, "\n%s [%s], in %v; others took %.0f %% of the machine\n", r.title, r.name, spent.took.Round(time.Second), spent.others)
	fmt.Fprintf(w, "  %-48s %13s  %-19s %11s  %-21s %7s  %s\n", "", r.unit, "least – most", "CPU/request", "ours: median (spread)", "its CPU", "to reach")
	last := results[len(results)-1]
	var list []standing
	for _, c := range results {
		if c.err != nil {
			fmt.Fprintf(w, "  %-48s NOT MEASURED: %v\n", c.name, c.err)
			list = append(list, standing{row: r.name, beside: c.name, reach: "NOT MEASURED: " + oneLine(c.err)})
			continue
		}
		cpu := ""
		if len(c.cpu) > 0 {
			cpu = cpuText(median(c.cpu))
		}
		value := fmt.Sprintf(r.format, median(c.values))
		spread := fmt.Sprintf(r.format+" – "+r.format, slices.Min(c.values), slices.Max(c.values))
		s := r.standing(c, last)
		fmt.Fprintf(w, "  %-48s %13s  %-19s %11s  %-21s %7s  %s\n", c.name, value, spread, cpu, s.ratio, s.cpu, s.toReach())
		if r.remark != nil {
			fmt.Fprintf(w, "    %s\n", r.remark(c.samples))
		}
		if s.ratio != "" || s.goal != "" || len(results) == 1 {
			list = append(list, s)
		}
		if c.cpuTarget > 0 && s.cpu != "" {
			s.goal, s.reach = (row{less: true}).verdict(median(ratios(last.cpu, c.cpu)), c.cpuTarget, " × CPU")
			fmt.Fprintf(w, "    %s: %s\n", s.goal, s.reach)
			list = append(list, s)
		}
	}
	if r.extra != nil && last.err == nil {
		whole := slices.DeleteFunc(slices.Clone(results), func(c result) bool { return c.err != nil })
		list = append(list, printFigures(w, r.name, r.extra(whole))...)
	}
	return list
}

// standing is that of a contestant that was measured.
func (r row) standing(c, last result) standing {
	s := standing{row: r.name}
	if c.name == last.name {
		s.ours = fmt.Sprintf(r.format, median(c.values)) + " " + r.unit
		s.goal, s.reach = r.verdict(median(c.values), r.limit, " "+r.unit)
		return s
	}
	s.beside = c.name + ": " + fmt.Sprintf(r.format, median(c.values))
	if last.err != nil {
		return s
	}
	pairs := ratios(last.values, c.values)
	s.ours = fmt.Sprintf(r.format, median(last.values)) + " " + r.unit
	if len(pairs) == 0 { // it has done nothing
		s.ratio = "–"
		return s
	}
	s.ratio = fmt.Sprintf("%.2f × (%.2f–%.2f)", median(pairs), slices.Min(pairs), slices.Max(pairs))
	s.goal, s.reach = r.verdict(median(pairs), c.target, " ×")
	if !slices.Equal(c.cpu, c.values) && len(c.cpu) > 0 {
		s.cpu = fmt.Sprintf("%.2f ×", median(ratios(last.cpu, c.cpu)))
	}
	if c.control {
		s.goal, s.reach = "control: 1 ×", "what chance does"
	}
	return s
}

// printFigures prints numbers of ours alone.
func printFigures(w io.Writer, name string, figures []figure) (list []standing) {
	for _, f := range figures {
		s := standing{row: name, ours: f.name + ": " + f.text(), goal: f.before}
		if f.limit > 0 {
			s.goal, s.reach = (row{less: true}).verdict(f.value, f.limit, " "+f.unit)
		}
		fmt.Fprintf(w, "    %-72s %10s %-8s %s\n", f.name, fmt.Sprintf(f.format, f.value), f.unit, s.toReach())
		list = append(list, s)
	}
	return list
}

// printSummary prints all rows once more, the goal beside the number.
func printSummary(w io.Writer, list []standing) {
	fmt.Fprintf(w, "\nAll rows:\n\n")
	lines := [][]string{{"row", "ours", "beside", "ours ÷ theirs (spread)", "CPU", "to reach", ""}}
	for _, s := range list {
		lines = append(lines, []string{s.row, s.ours, s.beside, s.ratio, s.cpu, s.goal, s.reach})
	}
	wide := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			wide[i] = max(wide[i], len([]rune(cell)))
		}
	}
	for _, line := range lines {
		for i, cell := range line {
			line[i] = cell + strings.Repeat(" ", wide[i]-len([]rune(cell)))
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(line, "  "), " "))
	}
}

// cpuText is a number of µs.
func cpuText(microseconds float64) string {
	if microseconds >= 1e5 {
		return fmt.Sprintf("%.2f s", microseconds/1e6)
	}
	return fmt.Sprintf("%.1f µs", microseconds)
}

// ratios pairs what was measured in the same round: what slowed the machine then
// slowed both.
func ratios(ours, theirs []float64) []float64 {
	var list []float64
	for i := range min(len(ours), len(theirs)) {
		if theirs[i] > 0 {
			list = append(list, ours[i]/theirs[i])
		}
	}
	return list
}

// verdict says what is to be reached and whether it was; nothing without a
// target.
func (r row) verdict(value, target float64, unit string) (goal, reach string) {
	if target == 0 {
		return "", ""
	}
	sign, reached := "≥", value >= target
	if r.less {
		sign, reached = "≤", value <= target
	}
	goal = fmt.Sprintf("%s %g%s", sign, target, unit)
	if reached {
		return goal, "reached"
	}
	return goal, "NOT reached"
}

// oneLine is an error for the summary.
func oneLine(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	return text[:min(len(text), 160)]
}
