package supervisor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"kerb/agent/policy"
)

// Differences between any two runs of one scene: random names, and the
// condition and the clock of this machine.
var (
	uuids      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	ofMachine  = regexp.MustCompile(`"(?:serial|cmd_nonce|nonce|url|client_id)":"[^"]*"|"(?:at|since|retry)":"[^"]*"|"(?:free_bytes|free|used_bytes|used|limit|total|pages_per_day|up)":\d+|"(?:board|disk|backlog)":\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}`)
	ofLog      = regexp.MustCompile(`127\.0\.0\.1:\d+|(?:pid|took|again_in|backlog)=\S+`)
	ofNoise    = regexp.MustCompile(`("counts":\[)([^\]]*)(\])`)
	cellNumber = regexp.MustCompile(`"(?:n|mean|peak|min|below)":[^}]*\}`)
)

// collect returns all that left, without what differs anyway. Noised numbers are left
// out as well, their place is not: a message keeps its length.
func (p *play) collect() map[string][]string {
	out := map[string][]string{}
	for topic, all := range p.got {
		for _, text := range all {
			if strings.HasSuffix(topic, "/event") && isMark(text) {
				continue
			}
			if p.pol.Method() == policy.Noise {
				text = ofNoise.ReplaceAllStringFunc(text, func(cells string) string {
					return cellNumber.ReplaceAllStringFunc(cells, func(c string) string {
						if topic == "status" { // on the device, without padding
							return "(noise)}"
						}
						return fmt.Sprintf("(noise of %d bytes)}", len(c)-1)
					})
				})
			}
			if strings.HasSuffix(topic, "/state") && strings.Contains(text, `"sensors":{}`) {
				continue // from before the first window, as far as the start had come
			}
			text = ofMachine.ReplaceAllString(uuids.ReplaceAllString(text, "UUID"), "-")
			if strings.HasSuffix(topic, "/state") && len(out[topic]) > 0 && out[topic][len(out[topic])-1] == text {
				continue // only the backlog and the time differ, and both are the machine's
			}
			out[topic] = append(out[topic], text)
		}
	}
	out["order"] = p.order
	lines := strings.Split(ofLog.ReplaceAllString(uuids.ReplaceAllString(p.log.String(), "UUID"), "-"), "\n")
	slices.Sort(lines) // of several processes, beside each other
	out["log"] = lines
	return out
}

// listDifferences returns the first difference in each topic.
func listDifferences(a, b map[string][]string) (all []string) {
	topics := map[string]bool{}
	for _, m := range []map[string][]string{a, b} {
		for topic := range m {
			topics[topic] = true
		}
	}
	for topic := range topics {
		x, y := a[topic], b[topic]
		for i := range max(len(x), len(y)) {
			if i >= len(x) || i >= len(y) || x[i] != y[i] {
				a, b := strings.Join(x[min(i, len(x)):min(i+1, len(x))], ""), strings.Join(y[min(i, len(y)):min(i+1, len(y))], "")
				at := 0
				for at < min(len(a), len(b)) && a[at] == b[at] {
					at++
				}
				near := func(s string) string { return s[max(min(at-200, len(s)), 0):min(at+200, len(s))] }
				all = append(all, fmt.Sprintf("%s, number %d of %d and %d, at byte %d of %d and %d:\n  nobody: …%s…\n  one:    …%s…", topic, i+1, len(x), len(y), at, len(a), len(b), near(a), near(b)))
				break
			}
		}
	}
	return all
}
