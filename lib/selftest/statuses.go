package selftest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Statuses are statuses of answers: "404", or "4xx" for all of a class.
type Statuses []string

var statusPattern = regexp.MustCompile(`^[1-5](?:[0-9][0-9]|xx)$`)

// Check says what is wrong with the statuses as they were typed.
func (s Statuses) Check() error {
	for _, status := range s {
		if !statusPattern.MatchString(status) {
			return fmt.Errorf("%q is neither a status such as 404 nor a class such as 4xx", status)
		}
	}
	return nil
}

// Has says that a status is one of them.
func (s Statuses) Has(status int) bool {
	text := strconv.Itoa(status)
	for _, known := range s {
		if class, ok := strings.CutSuffix(known, "xx"); known == text || ok && strings.HasPrefix(text, class) {
			return true
		}
	}
	return false
}
