package main

import (
	"passenger/lib/cli"
	"passenger/lib/wrapper"
)

// words reads a command line for the script passenger.
type words struct {
	Words []string `arg:"" optional:"" passthrough:"all" help:"The words of its command line."`
}

func (w *words) Run() error {
	if status := wrapper.Read(w.Words); status != cli.Done {
		return &cli.Error{Status: status} // what is wrong was told in the script's name
	}
	return nil
}
