//go:build !race

package testscripts

var raceFlag []string
