package main

import (
	"fmt"
	"strings"

	"passenger/lib/app"
	"passenger/lib/spelling"
)

// unknown answers for the script passenger, which has no table of words.
type unknown struct {
	Word  string   `arg:"" help:"The flag or command."`
	Known []string `arg:"" optional:"" help:"Those that there are."`
}

func (u *unknown) Run() error {
	meant := spelling.DidYouMean(u.Word, u.Known)
	if strings.HasPrefix(u.Word, "-") {
		meant = app.UnknownFlag(u.Word, u.Known)
	}
	_, err := fmt.Println(meant)
	return err
}
