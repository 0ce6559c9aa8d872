package transparency

import (
	"fmt"
	"io"
	"unicode/utf8"

	"kerb/agent/policy"
)

// policyEffects returns the effect of every key that differs between the policies of two
// records, by the rules of package policy. It is empty where a policy cannot be read.
func policyEffects(old, new *Record) map[string]Effect {
	before, err := policy.Parse("old", []byte(old.Policy.Canonical.Value))
	if err != nil {
		return nil
	}
	after, err := policy.Parse("new", []byte(new.Policy.Canonical.Value))
	if err != nil {
		return nil
	}
	effects := map[string]Effect{}
	for _, c := range policy.Diff(before, after) {
		effects[c.Key] = map[policy.Effect]Effect{policy.Looser: MoreKnown, policy.Stricter: LessKnown, policy.Neutral: Otherwise}[c.Effect]
	}
	return effects
}

// maxShown is the most characters of a value in a comparison. Chosen by hand.
const maxShown = 160

// PrintComparison writes the changes in plain words.
func PrintComparison(w io.Writer, old, new *Record) error {
	changes := Compare(old, new)
	heads := [...]string{
		MoreKnown: "MORE MAY BE KNOWN THAN BEFORE", LessKnown: "LESS MAY BE KNOWN THAN BEFORE",
		OtherWords: "THE CONTROLLER SAYS OTHERWISE", Otherwise: "OTHERWISE DIFFERENT",
	}
	last := Effect(len(heads))
	for _, c := range changes {
		if c.Effect != last {
			last = c.Effect
			if _, err := fmt.Fprintf(w, "%s\n", heads[last]); err != nil {
				return err
			}
		}
		fmt.Fprintf(w, "  %s\n    before: %s\n    now:    %s\n", c.Label, shorten(c.Old), shorten(c.New))
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintln(w, "Nothing changed for a passer-by.")
		return err
	}
	return nil
}

// shorten cuts a value to maxShown characters.
func shorten(v string) string {
	if v == "" {
		return "–"
	}
	if utf8.RuneCountInString(v) <= maxShown {
		return v
	}
	return string([]rune(v)[:maxShown-1]) + "…"
}
