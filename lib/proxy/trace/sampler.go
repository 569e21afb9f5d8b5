package trace

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A sampler decides at the head of a trace whether it is recorded. Names and
// arguments are those of OTEL_TRACES_SAMPLER.
type sampler struct {
	parentBased bool
	below       uint64 // of 1<<63: a trace whose ID is below it is sampled
}

const allTraces = 1 << 63

// samplerOf reads a sampler. An empty name is parentbased_always_on.
func samplerOf(name, arg string) (sampler, error) {
	var s sampler
	rest, parent := strings.CutPrefix(name, "parentbased_")
	s.parentBased = parent || name == ""
	switch rest {
	case "", "always_on":
		s.below = allTraces
	case "always_off":
	case "traceidratio":
		ratio := 1.0
		if arg != "" {
			var err error
			if ratio, err = strconv.ParseFloat(arg, 64); err != nil || math.IsNaN(ratio) || ratio < 0 || ratio > 1 {
				return s, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %q; it must be a ratio from 0 to 1", arg)
			}
		}
		s.below = uint64(ratio * allTraces)
	default:
		return s, fmt.Errorf("OTEL_TRACES_SAMPLER is %q; this program knows always_on, always_off, traceidratio, and each of them with parentbased_ before it", name)
	}
	return s, nil
}

// samples decides. A parent's decision counts if the sampler goes by it. The ratio
// is that of the IDs' last eight bytes, as in the SDKs of Go and Java, so that all
// services with the same ratio take the same traces.
func (s sampler) samples(hasParent, parentSampled bool, trace [16]byte) bool {
	if s.parentBased && hasParent {
		return parentSampled
	}
	return binary.BigEndian.Uint64(trace[8:])>>1 < s.below
}
