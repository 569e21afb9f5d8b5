// Package hosts finds what is mounted at a host name and a base URI.
package hosts

import (
	"bytes"
	"strings"
)

// A Map holds values by host name and base URI. The zero Map is empty. Once it is
// filled, any goroutine may ask it.
type Map[V any] struct {
	exact    map[string]*site[V] // by host name
	wildcard map[string]*site[V] // by what follows the star: ".example.com"
	any      site[V]
}

// A site is the values of one host name by base URI.
type site[V any] struct {
	values  map[string]*V // "/" is ""
	longest int           // base URI
}

// Add mounts v at base, which is empty or a path without a slash at its end, for
// the hosts of names, which may begin with a star for any name that ends in the
// rest; for all hosts if there are no names.
func (x *Map[V]) Add(names []string, base string, v *V) {
	if len(names) == 0 {
		x.any.add(base, v)
	}
	for _, name := range names {
		name = strings.TrimSuffix(strings.ToLower(name), ".")
		if rest, ok := strings.CutPrefix(name, "*"); ok {
			siteOf(&x.wildcard, rest).add(base, v)
		} else {
			siteOf(&x.exact, name).add(base, v)
		}
	}
}

func siteOf[V any](sites *map[string]*site[V], name string) *site[V] {
	if *sites == nil {
		*sites = map[string]*site[V]{}
	}
	s := (*sites)[name]
	if s == nil {
		s = &site[V]{}
		(*sites)[name] = s
	}
	return s
}

// add mounts v. The first of two at one place stays: the pool refuses the
// second, so this only decides what a wrong table does.
func (s *site[V]) add(base string, v *V) {
	if s.values == nil {
		s.values = map[string]*V{}
	}
	if s.values[base] == nil {
		s.values[base] = v
		s.longest = max(s.longest, len(base))
	}
}

// Find returns the value for a host, with or without port, and a path; nil if
// there is none. An exact name wins over a wildcard, a longer wildcard over a
// shorter, and any of these over values without names. It allocates nothing.
func (x *Map[V]) Find(host, path []byte) *V {
	if len(x.exact) > 0 || len(x.wildcard) > 0 {
		var lower [256]byte
		name := hostName(lower[:0], host)
		if s := x.exact[string(name)]; s != nil {
			if m := s.find(path); m != nil {
				return m
			}
		}
		for rest := name; len(x.wildcard) > 0; {
			dot := bytes.IndexByte(rest, '.')
			if dot < 0 {
				break
			}
			if s := x.wildcard[string(rest[dot:])]; s != nil && dot > 0 {
				if m := s.find(path); m != nil {
					return m
				}
			}
			rest = rest[dot+1:]
		}
	}
	return x.any.find(path)
}

// find returns the value with the longest base URI that path lies below.
func (s *site[V]) find(path []byte) *V {
	if s.longest > 0 {
		// Only ends of path elements count: cut from the right.
		p := path
		if len(p) > s.longest {
			cut := s.longest
			if p[cut] != '/' {
				cut = bytes.LastIndexByte(p[:cut], '/')
			}
			p = p[:max(cut, 0)]
		}
		for len(p) > 0 {
			if m := s.values[string(p)]; m != nil {
				return m
			}
			p = p[:max(bytes.LastIndexByte(p, '/'), 0)]
		}
	}
	return s.values[""]
}

// hostName appends host in lower case, without its port and a final dot.
func hostName(b, host []byte) []byte {
	if n := bytes.LastIndexByte(host, ':'); n >= 0 && bytes.IndexByte(host[n:], ']') < 0 {
		host = host[:n]
	}
	for _, c := range host {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return bytes.TrimSuffix(b, []byte{'.'})
}
