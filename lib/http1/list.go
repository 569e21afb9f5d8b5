package http1

import (
	"bytes"
	"iter"
)

// CutElement cuts the first element off a list. A comma in quotes ends none.
func CutElement(list []byte) (element, rest []byte) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return bytes.TrimSpace(list[:i]), list[i+1:]
		}
	}
	return bytes.TrimSpace(list), nil
}

// AppendList appends the elements of a list as a field has them, with a comma
// between two: RFC 9110, 5.6.1.
func AppendList(b []byte, list iter.Seq[[]byte]) []byte {
	first := true
	for element := range list {
		if !first {
			b = append(b, ", "...)
		}
		b, first = append(b, element...), false
	}
	return b
}

// ListsTag says whether a list of entity tags has one, compared weakly: RFC
// 9110, 8.8.3.2.
func ListsTag[T string | []byte](list []byte, tag T) bool {
	if len(tag) > 2 && tag[0] == 'W' {
		tag = tag[2:]
	}
	for len(list) > 0 {
		var element []byte
		element, list = CutElement(list)
		if string(element) == "*" || string(bytes.TrimPrefix(element, []byte("W/"))) == string(tag) {
			return true
		}
	}
	return false
}
