package register

import (
	"fmt"
	"io"
	"strings"

	"kerb/agent/transparency"
)

// questions answers the ten questions to ask before AI is used in the public sector (Eddie
// Copeland, 2018), and an eleventh that they leave out: how to challenge it. The text is
// Markdown, for people who know neither kerb nor the registers.
type questions struct{}

// Name is questions.
func (questions) Name() string { return "questions" }

// File is questions.md.
func (questions) File() string { return "questions.md" }

// Export writes the answers of each group under a heading.
func (questions) Export(w io.Writer, groups []transparency.Group) (missing []Missing, err error) {
	for _, g := range groups {
		a := &asker{rec: g.First()}
		if err := writeSections(w, "Ten questions about this counting, and how to challenge it", g, tenQuestions(a)); err != nil {
			return nil, err
		}
		missing = append(missing, a.missing...)
	}
	return uniqueMissing(missing), nil
}

// A topic is one heading with its paragraphs.
type topic struct {
	head  string
	from  string // who answers
	lines []string
}

const (
	fromDevice = "answered by the device: what it enforces or measures"
	fromPeople = "answered by the organisation"
)

// writeSections writes topics as Markdown.
func writeSections(w io.Writer, title string, g transparency.Group, topics []topic) error {
	r := g.First()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nDevices: %s. Made %s by the program kerb, version %s. Rules (policy): %s.\n", title, strings.Join(deviceNames(g), ", "), stamp(r.At), r.Build.Version.Value, r.Policy.Hash.Value)
	for _, t := range topics {
		fmt.Fprintf(&b, "\n## %s\n\n", t.head)
		if t.from != "" {
			fmt.Fprintf(&b, "*%s*\n\n", t.from)
		}
		for _, l := range t.lines {
			b.WriteString("- " + strings.ReplaceAll(l, "\n", "\n  ") + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tenQuestions are the questions with their answers.
func tenQuestions(a *asker) []topic {
	r := a.rec
	people := func(n int, head, key string) topic {
		head = fmt.Sprintf("%d. %s", n, head)
		return topic{head, fromPeople, []string{a.text(head, key)}}
	}
	return []topic{
		people(1, "Objective: why is this done, and how will it be better?", "purpose.objective"),
		people(2, "Use: in which processes and decisions are the numbers used?", "purpose.use"),
		people(3, "Impacts: who is affected, and how?", "purpose.impacts"),
		{"4. Assumptions: on what does it rest?", fromDevice, assumptions(r)},
		{"5. Data: with what was it trained, and what are the gaps?", fromDevice, trainingLines(r)},
		{"6. Inputs: what does it take in, and what leaves?", fromDevice, []string{inputText(r), followSentence(r), "Hours of counting: " + hoursText(r) + ".", outputText(r)}},
		{"7. Mitigation: what limits the harm?", fromDevice, mitigation(r)},
		people(8, "Ethics: what was weighed?", "oversight.ethics"),
		people(9, "Oversight: which people check and correct it?", "oversight.human"),
		{"10. Evaluation: how well does it work?", fromDevice, evaluation(r)},
		people(11, "Challenge: how can somebody object to a number or a decision?", "oversight.challenge"),
	}
}

// assumptions are the conditions under which the numbers mean what they say.
func assumptions(r *transparency.Record) (lines []string) {
	if r.HasCamera() {
		lines = append(lines,
			"One object that crosses a line is one passage. Somebody who crosses twice counts twice; somebody whom the camera does not see does not count.",
			"The camera stays where it was aimed. A dark, covered, frozen or moved view is noticed, and no number is given for that time.")
	}
	if r.HasLoops() {
		lines = append(lines, "One vehicle over a loop closes its contact once.")
	}
	return append(lines, "Sums over hours and days are made of these numbers; no exact count is kept to make better ones.")
}

func trainingLines(r *transparency.Record) []string {
	if !r.HasCamera() {
		return []string{developmentText(r)}
	}
	return append([]string{developmentText(r)}, warningTexts(r)...)
}

// mitigation lists the enforced limits of harm.
func mitigation(r *transparency.Record) []string {
	lines := []string{}
	if r.HasCamera() {
		lines = append(lines, "A picture is "+r.Retention.Pictures.Value+".")
	}
	lines = append(lines, clearingSentence(r), keptSentence(r),
		"The connection to "+r.Output.Recipient.Value+" is "+encryption(r)+".")
	lines = append(lines, wallLines(r)...)
	return append(lines, proofLine(r), auditLine(r), "The rules of the device (its policy): "+signersText(r)+".")
}

// proofLine is the result of kerb prove.
func proofLine(r *transparency.Record) string {
	p := r.Proof.Value
	switch {
	case p.At == "":
		return "No test with marked pictures (kerb prove) was given with this record."
	case p.OK:
		return fmt.Sprintf("kerb prove (%s): %d marked pictures were shown; no trace of them in %d places that were searched.", p.At, p.Pictures, p.Places)
	}
	return fmt.Sprintf("kerb prove (%s) found faults: %s.", p.At, strings.Join(p.Faults, "; "))
}

func evaluation(r *transparency.Record) []string {
	lines := accuracyLines(r)
	if !r.HasCamera() {
		lines = []string{"Loops: no published measurement is part of this record; compare with a count by hand."}
	}
	lines = append(lines, acceptanceLines(r)...)
	for _, c := range r.WeakClasses() {
		lines = append(lines, "Do not judge anything about "+plurals[c]+" by these numbers.")
	}
	return lines
}
