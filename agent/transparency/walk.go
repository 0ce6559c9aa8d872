package transparency

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// An Entry is one fact of a record, flattened.
type Entry struct {
	Path   string // such as capture.pixels, or declared.controller.name
	Label  string // in plain words
	Value  string // JSON
	Origin Origin
	Source string
}

// Entries lists every fact of the record, in the order of record.json.
func (r *Record) Entries() (all []Entry) {
	walkFacts("", "", reflect.ValueOf(*r), func(e Entry) { all = append(all, e) })
	return all
}

// walkFacts visits the facts in v by reflection: structs of facts, and the map of answers.
func walkFacts(path, label string, v reflect.Value, visit func(Entry)) {
	switch {
	case isFact(v.Type()):
		value, err := json.Marshal(v.FieldByName("Value").Interface())
		if err != nil {
			panic(err) // plain values
		}
		visit(Entry{path, label, string(value), Origin(v.FieldByName("Origin").String()), v.FieldByName("Source").String()})
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeOf(Record{}.At):
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			walkFacts(strings.TrimPrefix(path+"."+name, "."), f.Tag.Get("label"), v.Field(i), visit)
		}
	case v.Kind() == reflect.Map:
		for _, q := range Questions() { // in the order of declared.toml
			if f := v.MapIndex(reflect.ValueOf(q.Key)); f.IsValid() {
				walkFacts(path+"."+q.Key, q.Ask, f, visit)
			}
		}
	}
}

// isFact reports whether t is a Fact of any type.
func isFact(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), "Fact[") && t.PkgPath() == reflect.TypeFor[Record]().PkgPath()
}

// A Change is one fact that differs between two records.
type Change struct {
	Path, Label string
	Old, New    string // values, as text
	Effect      Effect
}

// Effect is the meaning of a change for a passer-by.
type Effect uint8

// The effects, in the order of a report.
const (
	MoreKnown  Effect = iota // more may be counted, kept or known
	LessKnown                // less
	OtherWords               // the controller says something else
	Otherwise                // neither more nor less, or it cannot be compared
)

// passing are the facts that change by themselves, and say nothing to a passer-by.
func passing() []string {
	return []string{"held", "audit", "policy.hash", "policy.version", "policy.canonical", "policy.since", "proof", "warnings"}
}

// Compare lists what changed from an older record to a newer one, for a passer-by: what
// may be known more first.
func Compare(old, new *Record) (all []Change) {
	was := map[string]Entry{}
	for _, e := range old.Entries() {
		was[e.Path] = e
	}
	effects := policyEffects(old, new)
	for _, e := range new.Entries() {
		o, ok := was[e.Path]
		if ok && o.Value == e.Value || slices.Contains(passing(), e.Path) {
			continue
		}
		c := Change{Path: e.Path, Label: e.Label, Old: plainValue(o.Value), New: plainValue(e.Value), Effect: Otherwise}
		if e.Origin == Stated {
			c.Effect = OtherWords
		} else if effect, known := effects[policyKey(e)]; known {
			c.Effect = effect
		} else if e.Path == "walls" {
			c.Effect = wallEffect(old, new)
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b Change) int { return int(a.Effect) - int(b.Effect) })
	return all
}

// policyKey is the key of the policy that a fact is read from, or "".
func policyKey(e Entry) string {
	_, key, _ := strings.Cut(e.Source, " ")
	return key
}

// wallEffect compares how many walls are open.
func wallEffect(old, new *Record) Effect {
	open := func(r *Record) (n int) {
		for _, w := range r.Walls.Value {
			n += len(w.Open)
		}
		return n
	}
	switch was, is := open(old), open(new); {
	case is > was:
		return MoreKnown
	case is < was:
		return LessKnown
	}
	return Otherwise
}

// plainValue is a JSON value without the quotes of a string.
func plainValue(v string) string {
	var s string
	if json.Unmarshal([]byte(v), &s) == nil {
		return s
	}
	return v
}
