package policy

import (
	"bytes"
	"fmt"
	"reflect"
)

// A Change is one key that differs between two policies.
type Change struct {
	Key, Old, New string // the values in TOML
	Effect        Effect
}

// Diff lists every key in which the policies differ, in canonical order.
func Diff(old, new *Policy) []Change {
	was := map[string]string{}
	walkKeys("", reflect.ValueOf(&old.terms).Elem(), func(path string, v reflect.Value) { was[path] = formatLiteral(v) })
	ways := map[string]func(old, new *terms) Effect{}
	for _, k := range policyKeys() {
		ways[k.Name] = k.effect
	}
	var changes []Change
	walkKeys("", reflect.ValueOf(&new.terms).Elem(), func(path string, v reflect.Value) {
		c := Change{Key: path, Old: was[path], New: formatLiteral(v), Effect: Looser}
		if c.Old == c.New {
			return
		}
		if way := ways[path]; way != nil {
			c.Effect = way(&old.terms, &new.terms)
		}
		if old.Method() != new.Method() && methodsKnowing(path) != nil {
			c.Effect = Neutral // the change of clear.method is listed as looser already
		}
		changes = append(changes, c)
	})
	return changes
}

// LooserChanges lists the keys in which the new policy is looser than the old one,
// one line each with both values; nil if it is at least as strict in every key.
// Values that cannot be compared, such as another method, count as looser.
func LooserChanges(old, new *Policy) []string {
	var lines []string
	for _, c := range Diff(old, new) {
		if c.Effect == Looser {
			lines = append(lines, fmt.Sprintf("%s %s → %s", c.Key, c.Old, c.New))
		}
	}
	return lines
}

// samePolicy reports whether two policies have the same canonical form.
func samePolicy(a, b *Policy) bool { return bytes.Equal(a.canon, b.canon) }
