package notice

import (
	"fmt"
	"math"
	"strings"

	"kerb/agent/transparency"
	"kerb/agent/transparency/register"
	"kerb/counting"
)

// speaker says the facts of one record in one language.
type speaker struct {
	*words
	rec *transparency.Record
}

// answer is the declared answer to key, or "not provided" in the language.
func (s speaker) answer(key string) string { return s.rec.AnswerOr(key, s.missing) }

// sensing says what counts.
func (s speaker) sensing() string {
	switch {
	case s.rec.HasCamera() && s.rec.HasLoops():
		return s.both
	case s.rec.HasLoops():
		return s.loops
	}
	return s.camera
}

// neverLeaves says what happens to pictures.
func (s speaker) neverLeaves() string {
	if s.rec.HasCamera() {
		return s.never
	}
	return s.neverLoops
}

// cleared describes the numbers that leave, and how they were cleared.
func (s speaker) cleared() string {
	c := s.rec.Clearing
	said := []string{fmt.Sprintf(s.leaves, s.every(c.Window.Value))}
	var besides []string
	for _, name := range s.rec.Output.Quantities.Value {
		if q, err := counting.ParseQuantity(name); err == nil {
			besides = append(besides, s.quantities[q])
		}
	}
	if len(besides) > 0 {
		said = append(said, fmt.Sprintf(s.besides, s.joinList(besides)))
	}
	switch c.Method.Value {
	case "noise":
		said = append(said, s.noise)
		if n := c.Below.Value; n > 0 {
			said = append(said, fmt.Sprintf(s.below, n, n))
		}
	case "suppress":
		said = append(said, fmt.Sprintf(s.suppress, c.Below.Value))
		if n := c.Round.Value; n > 1 {
			said = append(said, fmt.Sprintf(s.round, n))
		}
	default:
		said = append(said, s.bands)
	}
	return strings.Join(said, " ")
}

// keeping says how long numbers stay.
func (s speaker) keeping() string { return fmt.Sprintf(s.kept, s.span(s.rec.Retention.Records.Value)) }

// hoursOpen are the hours of counting.
func (s speaker) hoursOpen() string {
	return s.hoursOf(s.rec.Capture.Hours.Value, s.rec.Capture.TimeZone.Value)
}

// oftenMissed names the weak classes, "" without any.
func (s speaker) oftenMissed() string {
	weak := s.rec.WeakClasses()
	if len(weak) == 0 {
		return ""
	}
	return fmt.Sprintf(s.weak, s.classList(weak, &s.names))
}

// protects says how much one number can tell about one person.
func (s speaker) protects() string {
	if s.rec.Clearing.Method.Value == "noise" {
		return fmt.Sprintf(s.belief, int(math.Round(100*s.rec.Clearing.Belief.Value)))
	}
	return s.noBelief
}

// headline is the heading of the sign.
func (s speaker) headline() string {
	return fmt.Sprintf(s.heading, s.classList(s.rec.Output.Classes.Value, &s.classes))
}

// iconWords are the words of the DTPR elements that are enforced.
func (s speaker) iconWords() (list []string) {
	for _, id := range register.EnforcedElements(s.rec) {
		list = append(list, s.icons[id])
	}
	return append(list, fmt.Sprintf(s.icons["retention__data_retained"], s.span(s.rec.Retention.Records.Value)))
}

// anchor is the name of the policy in a link to the page.
func anchor(r *transparency.Record) string {
	return strings.Replace(r.Policy.Hash.Value, ":", "-", 1)
}

// missingAnswers lists the keys of declared.toml that have no answer, with their questions.
func missingAnswers(r *transparency.Record, field string, keys ...string) (all []register.Missing) {
	for _, q := range transparency.Questions() {
		for _, k := range keys {
			if _, ok := r.Answer(k); q.Key == k && !ok {
				all = append(all, register.Missing{Field: field, Key: "declared.toml " + k, Ask: q.Ask})
			}
		}
	}
	return all
}
