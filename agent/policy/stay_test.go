package policy

import (
	"testing"
	"time"

	"kerb/counting"
)

// TestAStayIsChargedOnceHoweverOftenKerbIsStopped: of the parts into which stops cut a
// window, the last alone has numbers. Lines go on: each passage is in one part.
func TestAStayIsChargedOnceHoweverOftenKerbIsStopped(t *testing.T) {
	start := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	for name, p := range map[string]*Policy{"noise": parse(t, noisy), "suppress": parse(t, suppressed), "bands": parse(t, banded)} {
		for _, k := range []int{1, 2, 10, 40} {
			with := map[counting.Kind]int{}
			for i := range k {
				for _, kind := range p.kinds() {
					tally := counting.Tally{Stream: "plaza", Kind: kind, Quality: counting.Partial, Reason: counting.ReasonStopped, Mono: time.Hour}
					tally.Start = start.Add(time.Duration(i) * p.Window() / time.Duration(k))
					tally.End = start.Add(time.Duration(i+1) * p.Window() / time.Duration(k))
					tally.Observed = tally.End.Sub(tally.Start)
					if k == 1 {
						tally.Quality, tally.Reason = counting.OK, counting.NoReason
					}
					tally.Counted[counting.Person] = true
					if kind == counting.ZoneStream {
						tally.Presence[counting.Person], tally.Peak[counting.Person] = tally.Observed, 1
					}
					r, err := p.Clear(tally)
					if err != nil {
						t.Fatal(err)
					}
					if len(r.Cells()) > 0 {
						with[kind]++
					}
				}
			}
			// Without noise, less than half of a window is a gap anyway.
			if most, least := 1, 1; with[counting.ZoneStream] > most || p.Method() == Noise && with[counting.ZoneStream] < least {
				t.Errorf("%s, %d parts: %d releases of the zone have numbers", name, k, with[counting.ZoneStream])
			}
			if p.Method() == Noise && with[counting.LineStream] != k {
				t.Errorf("%s, %d parts: the control failed: %d of a line have numbers", name, k, with[counting.LineStream])
			}
		}
	}
}
