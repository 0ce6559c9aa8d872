package policy

import (
	"bytes"
	"fmt"
	"reflect"
)

// A Change is one key that differs between two policies.
type Change struct {
	Key, Old, New string // the values in TOML
	Way           Way
}

// Diff lists every key in which the policies differ, in canonical order.
func Diff(old, new *Policy) []Change {
	was := map[string]string{}
	each("", reflect.ValueOf(&old.terms).Elem(), func(path string, v reflect.Value) { was[path] = literal(v) })
	ways := map[string]func(old, new *terms) Way{}
	for _, k := range Keys() {
		ways[k.Name] = k.way
	}
	var changes []Change
	each("", reflect.ValueOf(&new.terms).Elem(), func(path string, v reflect.Value) {
		c := Change{Key: path, Old: was[path], New: literal(v), Way: Looser}
		if c.Old == c.New {
			return
		}
		if way := ways[path]; way != nil {
			c.Way = way(&old.terms, &new.terms)
		}
		if old.Method() != new.Method() && knownTo(path) != nil {
			c.Way = Neutral // the change of method has said it
		}
		changes = append(changes, c)
	})
	return changes
}

// Loosens says in what the new policy is looser than the old one, one line for
// each key; nothing if it is at least as strict in everything. What cannot be
// compared, such as another method, counts as looser.
func Loosens(old, new *Policy) []string {
	var lines []string
	for _, c := range Diff(old, new) {
		if c.Way == Looser {
			lines = append(lines, fmt.Sprintf("%s %s → %s", c.Key, c.Old, c.New))
		}
	}
	return lines
}

// same reports whether two policies say the same.
func same(a, b *Policy) bool { return bytes.Equal(a.canon, b.canon) }
