package files

import (
	"bytes"
	"cmp"
	"strconv"
)

// A prefixed value is for the paths that begin with a prefix, which ends with a
// slash.
type prefixed[V any] struct {
	prefix string
	value  V
}

// longer has the longest prefix come first.
func longer[V any](a, b prefixed[V]) int {
	return cmp.Or(cmp.Compare(len(b.prefix), len(a.prefix)), cmp.Compare(a.prefix, b.prefix))
}

// begins says that the path is written as the prefix is.
func (p *prefixed[V]) begins(path []byte) bool {
	return len(path) >= len(p.prefix) && string(path[:len(p.prefix)]) == p.prefix
}

// means says that the path begins with the prefix once both are decoded. A path
// without a percent-encoding is as it is written.
func (p *prefixed[V]) means(path []byte) bool {
	if bytes.IndexByte(path, '%') < 0 {
		return false
	}
	for prefix := p.prefix; prefix != ""; {
		want, n := octet(prefix)
		got, m := octet(path)
		if m == 0 || got != want {
			return false
		}
		prefix, path = prefix[n:], path[m:]
	}
	return true
}

// octet is the first octet that a path stands for, and how many bytes it is written
// in: 0 if the path is empty.
func octet[T string | []byte](path T) (c byte, length int) {
	switch {
	case len(path) == 0:
		return 0, 0
	case path[0] == '%' && len(path) > 2:
		if v, err := strconv.ParseUint(string(path[1:3]), 16, 8); err == nil {
			return byte(v), 3
		}
	}
	return path[0], 1
}
