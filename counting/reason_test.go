package counting

import "testing"

func TestEveryReasonHasItsOwnWord(t *testing.T) {
	seen := map[string]Reason{}
	for r := NoReason; r.IsKnown(); r++ {
		word := r.String()
		if other, twice := seen[word]; twice || word == "" && r != NoReason {
			t.Errorf("reasons %d and %d have the word %q", other, r, word)
		}
		seen[word] = r
		if got, ok := ParseReason(word); !ok || got != r {
			t.Errorf("%q is parsed as %d, %v; want %d", word, got, ok, r)
		}
	}
	if got, ok := ParseReason("sleepy"); ok || got != ReasonUnknown {
		t.Errorf("a foreign word is parsed as %d, %v", got, ok)
	}
}

// A fault that pauses counting is the reason of a window, under the same word.
func TestEveryViewFaultThatPausesIsAReason(t *testing.T) {
	for f := ViewGood; f < ViewFaults; f++ {
		if !f.Pauses() {
			continue
		}
		if r := f.Reason(); r == ReasonUnknown || r.String() != f.String() {
			t.Errorf("%s is the reason %s", f, r)
		}
	}
}

func TestEveryViewFaultHasItsOwnWord(t *testing.T) {
	seen := map[string]bool{}
	for f := ViewGood; f < ViewFaults; f++ {
		if seen[f.String()] || !f.IsKnown() || f.Pauses() != (f != ViewGood && f != ViewDrops) || viewPrefix+f.ShortWord() != f.String() && f != ViewGood {
			t.Errorf("fault %d: %q, %q", f, f, f.ShortWord())
		}
		seen[f.String()] = true
	}
	if f := ViewFault(ViewFaults); f.IsKnown() || f.String() != "unknown" {
		t.Error("a number beyond the list is known")
	}
}
