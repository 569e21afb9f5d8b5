package main

import (
	"fmt"
	"io"
	"slices"
)

// printRow prints a row's servers, each with how ours compares to it.
func printRow(w io.Writer, r row, results []result, err error) {
	fmt.Fprintf(w, "\n%-60s %10s  %-17s %10s %8s  %s\n", r.title+" ["+r.name+"]", r.unit, "least – most", "CPU/req.", "ours", "to reach")
	var last result
	if err == nil {
		last = results[len(results)-1]
	}
	for _, c := range results {
		if len(c.values) == 0 {
			continue
		}
		value, cpu := median(c.values), ""
		if len(c.cpu) > 0 {
			cpu = fmt.Sprintf("%.1f µs", median(c.cpu))
		}
		spread := fmt.Sprintf(r.format+" – "+r.format, slices.Min(c.values), slices.Max(c.values))
		ratio, verdict := "", ""
		if err == nil && c.name != last.name {
			pairs := ratios(last.values, c.values)
			if len(pairs) > 0 {
				ratio = fmt.Sprintf("%.2f ×", median(pairs))
				verdict = r.verdict(median(pairs), c.target, " ×")
			}
			if len(pairs) > 0 && c.control {
				verdict = fmt.Sprintf("control: 1 ×, and %.2f – %.2f × of ours were measured", slices.Min(pairs), slices.Max(pairs))
			}
		} else if err == nil {
			verdict = r.verdict(value, r.limit, " "+r.unit)
		}
		fmt.Fprintf(w, "  %-58s %10s  %-17s %10s %8s  %s\n", c.name, fmt.Sprintf(r.format, value), spread, cpu, ratio, verdict)
		if r.remark != nil {
			fmt.Fprintf(w, "    %s\n", r.remark(c.samples))
		}
	}
	if err != nil {
		fmt.Fprintf(w, "  NOT MEASURED: %v\n", err)
	}
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
func (r row) verdict(value, target float64, unit string) string {
	if target == 0 {
		return ""
	}
	sign, reached := "≥", value >= target
	if r.less {
		sign, reached = "≤", value <= target
	}
	if reached {
		return fmt.Sprintf("%s %g%s: reached", sign, target, unit)
	}
	return fmt.Sprintf("%s %g%s: NOT reached", sign, target, unit)
}
