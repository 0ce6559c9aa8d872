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

// besides says in words what each quantity is.
var besides = map[string]string{
	"occupancy": "for how much of the time loops are covered", "speed": "the mean speed of vehicles", "speeds": "how many vehicles are how fast",
	"lengths": "how many vehicles are how long", "headways": "the times between vehicles", "gaps": "the gaps between vehicles",
	"congested": "how many vehicles stand on a loop", "standing": "how many stand and how many move",
}

// besidesText lists the quantities besides the counts, as a sentence with a space before it;
// "" for counts alone.
func besidesText(r *transparency.Record) string {
	if len(r.Output.Quantities.Value) == 0 {
		return ""
	}
	return " Besides the counts: " + pluralsOf(r.Output.Quantities.Value, besides, "and") + "."
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

// clearingSentence describes the clearing of a number before it is stored or sent.
func clearingSentence(r *transparency.Record) string {
	c := r.Clearing
	switch c.Method.Value {
	case "noise":
		s := fmt.Sprintf("A random amount is added to every number once before it is stored (exact discrete Laplace noise, epsilon %g for one passage): somebody for whom it was a coin toss whether you passed can be at most %.0f %% sure after seeing one number.", c.Epsilon.Value, 100*c.Belief.Value)
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

// accuracyLines lists the errors of each network, one line each: first in objects, then as
// grades under each condition of light and view.
func accuracyLines(r *transparency.Record) (lines []string) {
	for _, m := range r.Models.Value {
		if m.Note != "" {
			lines = append(lines, "Detector "+m.Name+": "+m.Note+".")
		}
		for _, f := range m.Found {
			lines = append(lines, fmt.Sprintf("Of %d %s in test pictures the network %s found %d; of what it took for %s, %.0f %% was right.", f.Of, plurals[f.Class], m.Name, f.Found, plurals[f.Class], 100*f.Right))
		}
		for i, a := range m.Precision {
			condition, _, _ := strings.Cut(a.Condition, " (") // the name of a data set
			line := fmt.Sprintf("Network %s, pictures %s: %s.", m.Name, condition, precisionList(a))
			if i == 0 {
				line += " (Average precision: a grade from 0 to 1, which is without fault.)"
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// precisionList lists the grades, in the order of the classes' names.
func precisionList(a transparency.Accuracy) string {
	var classes []string
	for c := range a.Classes {
		classes = append(classes, c)
	}
	slices.Sort(classes)
	for i, c := range classes {
		classes[i] = fmt.Sprintf("%s %.2f", plurals[c], a.Classes[c])
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

// jobs describes the kinds of process.
var jobs = map[string]string{
	"sense": "sees the pictures", "uplink": "stores and sends the numbers", "supervisor": "starts the others", "decode": "decodes H.265, where a camera sends it",
}

// wallLines says for each process how many forbidden calls the kernel refused.
func wallLines(r *transparency.Record) (lines []string) {
	for _, w := range r.Walls.Value {
		name := w.Role
		if job := jobs[w.Role]; job != "" {
			name = fmt.Sprintf("that %s (%s)", job, w.Role)
		}
		s := fmt.Sprintf("The process %s tried %d things that it must not do, such as opening files, connections or programs; Linux %s refused %d", name, w.Hold+len(w.Open), w.Kernel, w.Hold)
		if len(w.Open) > 0 {
			s += ", but NOT these: " + strings.Join(w.Open, ", ")
		}
		lines = append(lines, s+".")
	}
	if len(lines) == 0 {
		lines = []string{"The walls around the processes were not measured."}
	}
	return lines
}

// hoursText is the hours of counting.
func hoursText(r *transparency.Record) string {
	if h := r.Capture.Hours.Value; len(h) == 1 && h[0] == "Mon-Sun 00:00-24:00" {
		return "all hours of every day"
	}
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
