package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// byteOrderMark is what some editors put before UTF-8.
const byteOrderMark = "\ufeff"

// notSettings says in the words of a file of settings why it is no JSON object of
// the form expected.
func notSettings(b []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := lineAt(b, max(0, syntax.Offset-1))
		return &Mistake{line, fmt.Errorf("line %d: not JSON: %s", line, mistake(b, int(syntax.Offset)))}
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field == "" {
		return fmt.Errorf("the settings are %s, not an object", valueName(wrong.Value))
	}
	if wrong != nil {
		return fmt.Errorf("line %d: key %q is %s", lineAt(b, wrong.Offset), wrong.Field, valueName(wrong.Value))
	}
	return err
}

// mistake says what is wrong with JSON whose first bytes, as many as read, are
// the shortest that cannot be the begin of any.
func mistake(b []byte, read int) string {
	before, found := "", ""
	if read > 0 && read <= len(b) {
		before = string(bytes.TrimSpace(b[:read-1]))
		r, _ := utf8.DecodeRune(b[read-1:])
		found = string(r)
	}
	switch {
	case len(bytes.TrimSpace(b)) == 0:
		return "the file is empty; without any settings it is {}"
	case bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")):
		return "the file is in UTF-16; save it as UTF-8"
	case unfinished(b):
		return "the file ends too early; a brace, a bracket or a quotation mark is not closed"
	case json.Valid([]byte(before)):
		return fmt.Sprintf("%q after the end of the settings", found)
	case found == "/" || found == "#":
		return fmt.Sprintf("%q; JSON has no comments", found)
	case found == "'":
		return `"'"; JSON has strings in double quotation marks`
	case found == `"` && strings.ContainsAny(lastOf(before), "\"0123456789}]el"):
		return `a comma or a colon is missing before "\""`
	case strings.HasSuffix(before, ",") && (found == "}" || found == "]"):
		return fmt.Sprintf("a comma before %q; JSON has none behind the last", found)
	case found == "\n" || found == "\r":
		return "a line ends inside a string"
	}
	return fmt.Sprintf("unexpected %q", found)
}

// lastOf is the last byte of text, which ends a value if it is one of a number, a
// word or a quoted thing.
func lastOf(text string) string { return text[max(0, len(text)-1):] }

// unfinished says that b could be the begin of JSON.
func unfinished(b []byte) bool {
	var syntax *json.SyntaxError
	var v any
	return errors.As(json.Unmarshal(b, &v), &syntax) && syntax.Error() == "unexpected end of JSON input"
}

// isWhole says that s is a whole number in digits.
func isWhole(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}
