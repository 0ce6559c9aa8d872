package config

import (
	"cmp"
	"fmt"
)

// Comparison names two streams that observe the same road, such as a loop and a
// camera's line. The ratio of their counts drifts when one of them fails.
type Comparison struct {
	A, B      string
	Expect    float64 // count of A divided by that of B when both work
	Tolerance float64 // allowed deviation from Expect, as a part of it
}

type compareFile struct {
	A         string  `toml:"a"`
	B         string  `toml:"b"`
	Expect    float64 `toml:"expect"`
	Tolerance float64 `toml:"tolerance"`
}

func (c compareFile) toCompare() Comparison {
	return Comparison{c.A, c.B, cmp.Or(c.Expect, defaultExpect), cmp.Or(c.Tolerance, defaultTolerance)}
}

func (c checker) checkComparisons(all []compareFile) {
	for i, v := range all {
		key := fmt.Sprintf("compare[%d]", i)
		for side, id := range map[string]string{".a": v.A, ".b": v.B} {
			if c.ids[id] == "" {
				c.Reject(key+side, "must be a stream of this site", "the id of a line, zone or lane")
			}
		}
		if v.A == v.B {
			c.Reject(key+".b", "must be another stream than a", "")
		}
		if c.HasKey(key+".expect") && isOutside(v.Expect, minExpect, maxExpect) {
			c.Reject(key+".expect", "must be 0.01–100", "a divided by b when both are well; leave it out for 1")
		}
		if c.HasKey(key+".tolerance") && isOutside(v.Tolerance, minTolerance, maxTolerance) {
			c.Reject(key+".tolerance", "must be 0.01–0.9", "leave it out for 0.25")
		}
	}
}
