package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// inWords says of a value that does not fit what encoding/json says of Go: the
// key, what it takes, and what is there.
func inWords(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	found, number, _ := strings.Cut(wrong.Value, " ")
	what := fmt.Sprintf("takes %s, not %s", kindName(wrong.Type), valueName(found))
	if isTooLarge(number, wrong.Type) {
		what = "takes no number as large as " + number
	}
	if wrong.Field == "" {
		return errors.New("it " + what)
	}
	return fmt.Errorf("key %q %s", wrong.Field, what)
}

// isTooLarge says that a number, as JSON has it, is of the kind that a type of Go takes
// and beyond what it holds.
func isTooLarge(number string, into reflect.Type) bool {
	for into.Kind() == reflect.Pointer {
		into = into.Elem()
	}
	switch into.Kind() {
	case reflect.Float64:
		return number != ""
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return len(number) >= 19 && !strings.ContainsAny(number, ".eE") // 1<<63 has so many digits
	}
	return false
}

// kindName names what a type of Go is written as.
func kindName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// valueName names what encoding/json calls "bool" or "array".
func valueName(kind string) string {
	switch kind {
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	}
	return "a " + kind
}
