package compress

import (
	"bytes"

	"passenger/lib/http1"
)

// Choose is the coding that an Accept-Encoding wants most of those that there are,
// Plain if it wants none of them, or is none: RFC 9110, 12.5.3. Of those that it wants
// alike, the one that costs least for what it saves comes first. What has a weight
// that makes no sense is not wanted.
func Choose(accept []byte) Coding {
	var weights [codings]int
	for i := range weights {
		weights[i] = unnamed
	}
	others := 0
	for len(accept) > 0 {
		var element []byte
		element, accept = http1.NextToken(accept)
		name, rest, _ := bytes.Cut(element, []byte{';'})
		weight := weightOf(rest)
		switch name = bytes.TrimSpace(name); {
		case string(name) == "*":
			others = weight
		case http1.EqualFold(name, "x-gzip"):
			weights[Gzip] = weight
		default:
			for c := range codings {
				if http1.EqualFold(name, Names[c]) {
					weights[c] = weight
				}
			}
		}
	}
	best, most := Plain, max(weights[Plain], 0)
	for _, c := range [...]Coding{Zstd, Brotli, Gzip} {
		weight := weights[c]
		if weight == unnamed {
			weight = others
		}
		if weight > 0 && (weight > most || best == Plain && weight == most) {
			best, most = c, weight
		}
	}
	return best
}

const unnamed = -1

// weightOf is the weight in the parameters of an element, in thousandths; 1000
// without one.
func weightOf(parameters []byte) int {
	p := bytes.TrimSpace(parameters)
	if len(p) == 0 {
		return 1000
	}
	if len(p) < 3 || p[0]|0x20 != 'q' || p[1] != '=' || len(p) > len("q=0.000") || p[2] != '0' && p[2] != '1' {
		return 0
	}
	weight := int(p[2]-'0') * 1000
	if len(p) == 3 {
		return weight
	}
	if p[3] != '.' {
		return 0
	}
	for i, digit := range p[4:] {
		if digit < '0' || digit > '9' {
			return 0
		}
		weight += int(digit-'0') * [...]int{100, 10, 1}[i]
	}
	if weight > 1000 {
		return 0
	}
	return weight
}
