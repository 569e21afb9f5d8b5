package http2

import (
	"bytes"
	"iter"
)

// fieldLines yields the names and values of lines, each with its end.
func fieldLines(lines []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for line := range bytes.SplitSeq(lines, []byte("\r\n")) {
			name, value, ok := bytes.Cut(line, []byte{':'})
			if ok && !yield(name, bytes.Trim(value, " \t")) {
				return
			}
		}
	}
}
