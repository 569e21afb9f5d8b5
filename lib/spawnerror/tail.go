package spawnerror

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Tail is what a terminal is shown of the last lines of an app whose directory
// is root: most of them, at least 4. A backtrace is long where a framework loads
// the app: it begins with the error, where that comes first, and the first frame
// of the app's own.
func Tail(lines []string, root string, most int) []string {
	if len(lines) <= most {
		return lines
	}
	shown := lines[len(lines)-most:]
	begin, own := backtrace(lines, root)
	if own < 0 {
		return shown
	}
	rest := lines[own:]
	if len(rest) > most-1 {
		atEnd := most / 3
		atBegin := most - 2 - atEnd
		left := len(rest) - atBegin - atEnd
		rest = slices.Concat(rest[:atBegin], []string{fmt.Sprintf("… %d more lines …", left)}, rest[len(rest)-atEnd:])
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
