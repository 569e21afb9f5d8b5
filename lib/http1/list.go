package http1

import "bytes"

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
