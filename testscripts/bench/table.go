package main

import (
	"fmt"
	"io"
	"slices"
)

// printRow prints a row's servers, each with how ours compares to it.
func printRow(w io.Writer, r row, results []result, err error) {
	fmt.Fprintf(w, "\n%-60s %10s  %-17s %10s %8s  %s\n", r.title+" ["+r.name+"]", r.unit, "least – most", "CPU/req.", "ours", "to reach")
	var ours float64
	if err == nil {
		ours = median(results[len(results)-1].values)
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
		if err == nil && c.name != results[len(results)-1].name {
			if value > 0 {
				ratio = fmt.Sprintf("%.2f ×", ours/value)
			}
			verdict = r.verdict(ours/value, c.target, " ×")
		} else if err == nil {
			verdict = r.verdict(ours, r.limit, " "+r.unit)
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
