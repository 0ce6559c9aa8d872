package register

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kerb/agent/transparency"
)

// The English sentences that several forms share. Each follows from values of the record.

var plurals = map[string]string{
	"person": "people", "bicycle": "bicycles", "vehicle": "vehicles",
	"motorcycle": "motorcycles", "car": "cars", "heavy": "heavy vehicles",
}

func joinWords(words []string, and string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + and + " " + words[len(words)-1]
}

func pluralsOf(classes []string, words map[string]string, and string) string {
	names := make([]string, len(classes))
	for i, c := range classes {
		names[i] = words[c]
	}
	return joinWords(names, and)
}

// span is a number of seconds in English words.
func span(s int) string {
	switch {
	case s%86400 == 0 && s > 0:
		return count(s/86400, "day")
	case s%3600 == 0 && s > 0:
		return count(s/3600, "hour")
	case s%60 == 0 && s > 0:
		return count(s/60, "minute")
	}
	return count(s, "second")
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// sensing names the kinds of sensors.
func sensing(r *transparency.Record) string {
	switch {
	case r.HasCamera() && r.HasLoops():
		return "a camera and induction loops in the road"
	case r.HasLoops():
		return "induction loops in the road"
	}
	return "a camera"
}

// clearingSentence says what is done to a number before it is stored or sent.
func clearingSentence(r *transparency.Record) string {
	c := r.Clearing
	switch c.Method.Value {
	case "noise":
		s := fmt.Sprintf("A random amount is added to every number once before it is stored (exact discrete Laplace noise, epsilon %g for one passage): somebody who held it for as likely as not that you passed can be at most %.0f %% sure afterwards.", c.Epsilon.Value, 100*c.Belief.Value)
		if c.Below.Value > 0 {
			s += fmt.Sprintf(" A number below %d is given only as \"below %d\".", c.Below.Value, c.Below.Value)
		}
		return s
	case "suppress":
		s := fmt.Sprintf("No noise is added. Numbers below %d are withheld", c.Below.Value)
		if c.Round.Value > 1 {
			s += fmt.Sprintf(", others are rounded to multiples of %d", c.Round.Value)
		}
		return s + "."
	}
	bands := make([]string, len(c.Bands.Value))
	for i, b := range c.Bands.Value {
		bands[i] = fmt.Sprint(b)
	}
	return "No number is given, only the band that the average lies in; bands begin at " + joinWords(bands, "and") + "."
}

// followSentence says how long an object is followed.
func followSentence(r *transparency.Record) string {
	if f := r.Processing.Follow.Value; f > 0 {
		return "One object is followed for at most " + span(f) + " by its position and size; nobody can be recognised again."
	}
	return "Nothing is followed."
}

// accuracyLines lists the errors of each network, one line each.
func accuracyLines(r *transparency.Record) (lines []string) {
	for _, m := range r.Models.Value {
		if m.Note != "" {
			lines = append(lines, m.Name+": "+m.Note+".")
		}
		for _, a := range m.Precision {
			lines = append(lines, fmt.Sprintf("%s, %s: average precision %s.", m.Name, a.Condition, precisionList(a)))
		}
		for _, f := range m.Found {
			lines = append(lines, fmt.Sprintf("%s: of %d test objects of class %s it found %d; of its detections %.0f %% are right.", m.Name, f.Of, f.Class, f.Found, 100*f.Right))
		}
	}
	return lines
}

func precisionList(a transparency.Accuracy) string {
	var classes []string
	for c := range a.Classes {
		classes = append(classes, c)
	}
	slices.Sort(classes)
	for i, c := range classes {
		classes[i] = fmt.Sprintf("%s %.2f", c, a.Classes[c])
	}
	return strings.Join(classes, ", ")
}

// warningTexts are the warnings in English.
func warningTexts(r *transparency.Record) []string {
	texts := make([]string, len(r.Warnings.Value))
	for i, w := range r.Warnings.Value {
		texts[i] = w.Text
	}
	return texts
}

// acceptanceLines lists the comparisons with counts by hand.
func acceptanceLines(r *transparency.Record) (lines []string) {
	for _, a := range r.Acceptance.Value {
		day := a.Day
		if day == "" {
			day = "a day that was not recorded"
		}
		lines = append(lines, fmt.Sprintf("%s: compared by hand on %s for %d minutes, about %d passages: error %+.0f %% (95 %% interval %+.0f to %+.0f %%), verdict %s.",
			a.Stream, day, a.Minutes, a.Passages, 100*a.Error, 100*a.Low, 100*a.High, a.Verdict))
	}
	if len(lines) == 0 {
		lines = []string{"No comparison with a count by hand is stored on this device (kerb aim makes one)."}
	}
	return lines
}

// wallLines says for each process how many forbidden calls the kernel refused.
func wallLines(r *transparency.Record) (lines []string) {
	for _, w := range r.Walls.Value {
		s := fmt.Sprintf("%s: %d forbidden calls refused on Linux %s", w.Role, w.Hold, w.Kernel)
		if len(w.Open) > 0 {
			s += "; NOT refused: " + strings.Join(w.Open, ", ")
		}
		lines = append(lines, s+".")
	}
	if len(lines) == 0 {
		lines = []string{"The walls were not measured."}
	}
	return lines
}

// hoursText is the hours of counting.
func hoursText(r *transparency.Record) string {
	return strings.Join(r.Capture.Hours.Value, ", ") + " (" + r.Capture.TimeZone.Value + ")"
}

// encryption says whether the connection is encrypted.
func encryption(r *transparency.Record) string {
	if r.Output.Encrypted.Value {
		return "encrypted (TLS)"
	}
	return "not encrypted"
}

// deviceNames lists the devices of a group.
func deviceNames(g transparency.Group) []string {
	names := make([]string, len(g))
	for i, r := range g {
		names[i] = r.Device.Tenant.Value + "/" + r.Device.Site.Value + "/" + r.Device.Name.Value
	}
	return names
}

// stamp is a time as every form writes it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// keptSentence says how long numbers stay on the device.
func keptSentence(r *transparency.Record) string {
	return "A number that was delivered stays on the device for at most " + span(r.Retention.Records.Value) + "; one that was not stays " + r.Retention.Undelivered.Value + "."
}
