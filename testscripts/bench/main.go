// Command bench measures this project and its peers beside each other and
// prints one table: who serves how much, and whether ours reaches its target.
//
// It fails if a number would not be what the table says it is: a server that
// answers something else, an error that wrk saw, a missing peer. A target that
// is not reached is marked; it is no failure.
package main

import (
	"context"
	"flag"
	"fmt"
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
	flag.DurationVar(&l.load.duration, "duration", 5*time.Second, "length of one measurement")
	flag.IntVar(&l.load.connections, "connections", 64, "connections of wrk")
	flag.IntVar(&l.rounds, "rounds", 3, "measurements of each server")
	upstream := flag.String("bulk", "", "serve large bodies on this unix `socket` instead")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: bench [flags] [ROW…]\nrows: %s\n", strings.Join(rowNames(), " "))
		flag.PrintDefaults()
	}
	flag.Parse()
	if *upstream != "" {
		if err := serveBulk(*upstream); err != nil {
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

// run measures the rows of these names, or all.
func run(ctx context.Context, l *lab, names []string) (err error) {
	for _, name := range names {
		if !slices.Contains(rowNames(), name) {
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

	printMachine(os.Stdout, l)
	failed := 0
	for _, r := range rows() {
		if len(names) > 0 && !slices.Contains(names, r.name) {
			continue
		}
		results, err := r.measure(ctx, l)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		printRow(os.Stdout, r, results, err)
		if err != nil {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("rows that do not measure what they say: %d", failed)
	}
	return nil
}
