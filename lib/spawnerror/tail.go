package spawnerror

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Of a tail that is too long for a terminal, so many lines at its begin and its
// end are shown.
const (
	tailBegin = 18
	tailEnd   = textOutput - tailBegin - 2
)

// tail is what a terminal is shown of the app's last lines. A backtrace is long
// where a framework loads the app: it begins with the error, where that comes
// first, and the first frame of the app's own.
func tail(lines []string, root string) []string {
	if len(lines) <= textOutput {
		return lines
	}
	shown := lines[len(lines)-textOutput:]
	begin, own := backtrace(lines, root)
	if own < 0 {
		return shown
	}
	rest := lines[own:]
	if len(rest) > textOutput-1 {
		left := len(rest) - tailBegin - tailEnd
		rest = slices.Concat(rest[:tailBegin], []string{fmt.Sprintf("… %d more lines …", left)}, rest[len(rest)-tailEnd:])
	}
	if begin < own && telling().MatchString(lines[begin]) {
		rest = slices.Concat(lines[begin:begin+1], rest)
	}
	return rest
}

// backtrace finds the last backtrace, and in it the first frame of a file of
// the app; own is -1 if there is none. Ruby and Node.js write the error before
// the frames, Python behind them.
func backtrace(lines []string, root string) (begin, own int) {
	for begin = len(lines) - 1; begin > 0; begin-- {
		if strings.HasPrefix(lines[begin], "Traceback (") {
			break
		}
		framesFollow := begin+1 < len(lines) && strings.IndexFunc(lines[begin+1], unicode.IsSpace) == 0
		if framesFollow && telling().MatchString(lines[begin]) {
			break
		}
	}
	own = slices.IndexFunc(lines[begin:], func(line string) bool { return isOwn(line, root) })
	if own < 0 {
		return begin, -1
	}
	return begin, begin + own
}

// isOwn says that a line names a file of the app that is not of its libraries.
func isOwn(line, root string) bool {
	_, file, ok := strings.Cut(line, root+"/")
	return ok && root != "" && !slices.ContainsFunc([]string{"node_modules/", "vendor/", "site-packages/", "/gems/"}, func(dir string) bool {
		return strings.Contains(file, dir)
	})
}
