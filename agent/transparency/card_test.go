package transparency

import (
	"slices"
	"strings"
	"testing"

	"kerb/counting/neural"
	"kerb/counting/neural/nets"
)

// A new training changes the figures of MODEL.md. Its tables must keep the form that the
// record reads: this test says which part does not.
func TestTheModelCardIsRead(t *testing.T) {
	models, err := ReadModelCard()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range nets.Names() {
		i := slices.IndexFunc(models, func(m Model) bool { return m.Name == name })
		if i < 0 {
			t.Fatalf("MODEL.md's table of precision has no row of %s", name)
		}
		if first := models[i].Precision[0]; first.Condition != "unchanged" || len(first.Classes) != 5 {
			t.Errorf("%s: the first row is %+v: it must be \"unchanged\", with five classes", name, first)
		}
		if !slices.ContainsFunc(models[i].Weak, func(w Weakness) bool { return w.Class == "bicycle" && strings.Contains(w.Text, "missed") }) {
			t.Errorf("%s: no weakness begins with the word Bicycles: %+v", name, models[i].Weak)
		}
	}
	street := models[0]
	dark := slices.ContainsFunc(street.Precision, func(a Accuracy) bool { return strings.HasPrefix(a.Condition, "dark") && a.Classes["person"] > 0 })
	if !dark || len(street.Found) != 5 {
		t.Errorf("the card lacks a row of dark pictures, or objects found of five classes: %+v", street)
	}
	for _, f := range street.Found {
		if f.Of < f.Found || f.Right <= 0 || f.Right > 1 {
			t.Errorf("objects found: %+v", f)
		}
	}
}

func TestACardOfAnotherFormIsRefused(t *testing.T) {
	card := neural.ModelCard()
	for what, change := range map[string][2]string{
		"no heading":         {"## Accuracy", "## Precision"},
		"no weaknesses":      {"## Known weaknesses", "## Limits"},
		"another class":      {"| person | bicycle |", "| pedestrian | bicycle |"},
		"no network":         {"| `street` | person", "| net | person"},
		"another class list": {"\n| motorcycle |", "\n| moped |"},
	} {
		text := strings.Replace(card, change[0], change[1], 1)
		if text == card {
			t.Errorf("%s: the card has no %q to change", what, change[0])
		} else if _, err := parseModelCard(text); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	changed := strings.Replace(card, "| unchanged | ", "| unchanged | 0.99 | 0", 1)
	if m, err := parseModelCard(changed); err != nil || m[0].Precision[0].Classes["person"] != 0.99 {
		t.Errorf("another figure is not read: %v", err)
	}
}
