// Command bench measures this project and its peers beside each other and
// prints one table: who serves how much, and whether ours reaches its target.
//
// A server whose number would not be what the table says it is has the reason in its
// place: it answers something else, wrk saw an error, it is not installed. The others
// go on, and bench fails at the end. A target that is not reached is marked; it is no
// failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"passenger/lib/proc"
)

func main() {
	l := &lab{}
	flag.StringVar(&l.bin, "bin", "", "`folder` of the four programs")
	flag.StringVar(&l.root, "root", ".", "root of the repository")
	flag.StringVar(&l.commit, "commit", "", "what is measured; git knows, where it is")
	flag.DurationVar(&l.load.duration, "duration", 2*time.Second, "length of one measurement")
	flag.IntVar(&l.load.connections, "connections", 64, "connections of wrk")
	flag.IntVar(&l.rounds, "rounds", 5, "measurements of each server")
	upstream := flag.String("bulk", "", "serve large bodies on this unix `socket` instead")
	helloApp := flag.Bool("hello", false, "be an app that says hello, on the socket that is handed to it, instead")
	relayed := flag.String("relay", "", "relay to this unix `socket` from the port instead")
	port := flag.String("port", "", "of 127.0.0.1, for -relay")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: bench [flags] [ROW…]\nrows: %s\n", strings.Join(rowNames(), " "))
		flag.PrintDefaults()
	}
	flag.Parse()
	if *upstream != "" || *helloApp || *relayed != "" {
		serve := serveHello
		switch {
		case *upstream != "":
			serve = func() error { return serveBulk(*upstream) }
		case *relayed != "":
			serve = func() error { return serveRelay(*relayed, *port) }
		}
		if err := serve(); err != nil {
			fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		}
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, l, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		os.Exit(1)
	}
}

// disturbing is how much of the machine, in percent, others may take: interrupts and
// what the kernel does in their wake count among them.
const disturbing = 5

// is says whether a row is meant by a name: its own, or what that begins with before
// a hyphen.
func (r row) is(name string) bool {
	return r.name == name || strings.HasPrefix(r.name, name+"-")
}

// run measures the rows of these names, or all.
func run(ctx context.Context, l *lab, names []string) (err error) {
	for _, name := range names {
		if !slices.ContainsFunc(rows(), func(r row) bool { return r.is(name) }) {
			return fmt.Errorf("unknown row %q; there are %s", name, strings.Join(rowNames(), ", "))
		}
	}
	// Whatever a server leaves behind falls to us, so that we can stop it.
	if err := proc.BecomeSubreaper(); err != nil {
		return err
	}
	if err := l.open(); err != nil {
		return err
	}
	defer l.close()

	began := time.Now()
	printMachine(os.Stdout, l)
	failed := 0
	var table []standing
	var disturbed []string
	for _, r := range rows() {
		if len(names) > 0 && !slices.ContainsFunc(names, r.is) {
			continue
		}
		lines, spent, err := r.run(ctx, l, os.Stdout)
		if spent.others > disturbing {
			disturbed = append(disturbed, fmt.Sprintf("%s %.0f %%", r.name, spent.others))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		table = append(table, lines...)
		if err != nil {
			failed++
		}
	}
	printSummary(os.Stdout, table)
	if len(disturbed) > 0 {
		fmt.Printf("\nWorth less, since others took that much of the machine: %s\n", strings.Join(disturbed, ", "))
	}
	fmt.Printf("\n%d lines in %v\n", len(table), time.Since(began).Round(time.Second))
	if failed > 0 {
		return fmt.Errorf("rows that are not whole, for the reasons above: %d", failed)
	}
	return nil
}

// run measures a row and prints it. The error is of what was not measured.
func (r row) run(ctx context.Context, l *lab, w io.Writer) (lines []standing, spent spending, err error) {
	m := startMeter()
	var results []result
	var figures []figure
	if r.figures != nil {
		figures, err = r.figures(ctx, l)
	} else {
		results, err = r.measure(ctx, l)
	}
	spent = m.stop()
	switch {
	case r.figures != nil:
		fmt.Fprintf(w, "\n%s [%s], in %v; others took %.0f %% of the machine\n", r.title, r.name, spent.took.Round(time.Second), spent.others)
		lines = printFigures(w, r.name, figures)
	case len(results) > 0:
		lines = printRow(w, r, results, spent)
	default:
		fmt.Fprintf(w, "\n%s [%s]\n", r.title, r.name)
	}
	if err != nil {
		fmt.Fprintf(w, "  NOT MEASURED: %v\n", err)
		lines = append(lines, standing{row: r.name, reach: "NOT MEASURED: " + oneLine(err)})
	}
	if i := (*impossible)(nil); errors.As(err, &i) {
		return lines, spent, nil
	}
	for _, c := range results {
		if err == nil {
			err = c.err
		}
	}
	return lines, spent, err
}
