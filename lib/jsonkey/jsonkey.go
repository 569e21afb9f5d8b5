// Package jsonkey finds keys that a JSON object has twice. RFC 8259, section 4,
// leaves open which of the two counts; encoding/json takes the last and says
// nothing.
package jsonkey

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A Twin is the second of two equal keys of one object.
type Twin struct {
	// Path is the key behind those of the objects around it: "envvars.LANG".
	Path string

	// Offset is where the key begins, in bytes.
	Offset int
}

// Twins returns the keys of valid JSON that stand twice in their objects, in
// order, at most as many as most.
func Twins(b []byte, most int) []Twin {
	s := scanner{}
	var twins []Twin
	for i := 0; i < len(b) && len(twins) < most; {
		switch b[i] {
		case '{', '[':
			s.open(b[i] == '{')
		case '}', ']':
			s.depth--
		case ',':
			s.top().wantsKey = s.top().object
		case '"':
			end := stringEnd(b, i)
			if s.depth > 0 && s.top().wantsKey && !s.top().take(b[i:end]) {
				twins = append(twins, Twin{s.path(), i})
			}
			i = end
			continue
		}
		i++
	}
	return twins
}

// stringEnd is the offset behind the string that begins at i.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(b))
}

// A scanner is inside values that are nested so deep. The levels above depth
// are kept for their memory.
type scanner struct {
	levels []level
	depth  int
}

// A level is one object or list.
type level struct {
	object   bool
	wantsKey bool   // the next string is a key
	key      []byte // the last one
	few      [][]byte
	many     map[string]bool // has those of few too, nil until there are more than mostFew
}

// mostFew keys are compared one by one, which is quicker than a map.
const mostFew = 16

func (s *scanner) open(object bool) {
	if s.depth == len(s.levels) {
		s.levels = append(s.levels, level{})
	}
	l := &s.levels[s.depth]
	*l = level{object: object, wantsKey: object, few: l.few[:0]}
	s.depth++
}

func (s *scanner) top() *level {
	if s.depth == 0 {
		return &level{}
	}
	return &s.levels[s.depth-1]
}

func (s *scanner) path() string {
	var keys []string
	for _, l := range s.levels[:s.depth] {
		if l.object {
			keys = append(keys, string(l.key))
		}
	}
	return strings.Join(keys, ".")
}

// take notes a key, in its quotation marks, and reports whether it is new.
func (l *level) take(quoted []byte) bool {
	l.wantsKey = false
	key := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(key, '\\') >= 0 {
		var plain string
		_ = json.Unmarshal(quoted, &plain) // the JSON is valid
		key = []byte(plain)
	}
	l.key = key
	if l.many == nil {
		for _, k := range l.few {
			if bytes.Equal(k, key) {
				return false
			}
		}
		if len(l.few) < mostFew {
			l.few = append(l.few, key)
			return true
		}
		l.many = make(map[string]bool, 2*mostFew)
		for _, k := range l.few {
			l.many[string(k)] = true
		}
	}
	if l.many[string(key)] {
		return false
	}
	l.many[string(key)] = true
	return true
}
