package proof

import "testing"

// A place that could not be read is neither ok nor failed.
func TestAVerdictIsOneOfThree(t *testing.T) {
	refused := CanaryResult{Places: []Finding{{Place: "memory of sense", Refused: "permission denied"}}}
	for want, p := range map[string]Bundle{
		VerdictOK:     {Canary: CanaryResult{Places: []Finding{{Place: "files"}}}},
		VerdictUnseen: {Canary: refused},
		VerdictFailed: {Canary: refused, Faults: []string{"a wall"}},
	} {
		p.Judge()
		if p.Verdict != want || p.OK != (want == VerdictOK) || (p.Err() == nil) != p.OK {
			t.Errorf("%q, ok %t, %v: want %q", p.Verdict, p.OK, p.Err(), want)
		}
	}
}
