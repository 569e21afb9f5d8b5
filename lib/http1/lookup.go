package http1

import "bytes"

// FindName returns the value of the first field of a name, which is in lower
// case; nil if there is none. Of the fields that have a kind Find is faster.
func (h *Head) FindName(lower string) []byte {
	for i := range h.Count() {
		if EqualFold(h.Name(i), lower) {
			return h.Value(i)
		}
	}
	return nil
}

// Cookie returns the value of a cookie, nil if the request has none of the
// name.
func (r *Request) Cookie(name []byte) []byte {
	for i := range r.Count() {
		if r.Kind(i) != Cookie {
			continue
		}
		for list := r.Value(i); len(list) > 0; {
			var pair []byte
			pair, list, _ = bytes.Cut(list, []byte{';'})
			key, value, _ := bytes.Cut(bytes.TrimLeft(pair, " "), []byte{'='})
			if bytes.Equal(key, name) {
				return value
			}
		}
	}
	return nil
}
