// Package spelling finds the known word that a misspelt one probably means.
package spelling

import (
	"slices"
	"strings"
)

// Nearest returns the word of known that is least different from word, and
// false if none is near enough to be what was meant.
func Nearest(word string, known []string) (string, bool) {
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		if strings.EqualFold(word, k) {
			return k, true
		}
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	return best, best != ""
}

// distance is how many letters must be added, removed, replaced or swapped
// with their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// DidYouMean is "; did you mean \"x\"?" for the nearest known word, or empty.
func DidYouMean(word string, known []string) string {
	known = slices.Clone(known)
	slices.Sort(known) // the same answer whatever the order
	if k, ok := Nearest(word, known); ok {
		return "; did you mean \"" + k + "\"?"
	}
	return ""
}
