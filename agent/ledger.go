package main

import (
	"fmt"
	"strings"

	"kerb/agent/policy"
)

// ledger is what each class of objects can spend at each sensor, one line for
// each: a passage may be counted by every stream that looks at the same place.
func ledger(p *policy.Policy, site policy.Site) (lines []string) {
	for _, c := range p.Ledger(site.Streams) {
		spent := fmt.Sprintf("%d of at most %d streams", len(c.Streams), c.Limit)
		if p.Method() == policy.Noise {
			spent = fmt.Sprintf("ε %.4g of at most %.4g", c.Epsilon, p.Epsilon()*float64(c.Limit))
		}
		lines = append(lines, fmt.Sprintf("ledger  %-20s %-11s %s: %s", c.Sensor, c.Class, spent, strings.Join(c.Streams, ", ")))
	}
	return lines
}
