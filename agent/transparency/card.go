package transparency

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"kerb/counting"
	"kerb/counting/neural"
)

// A Model is one network with its errors by the model card.
type Model struct {
	Name      string     `json:"name"`
	SHA256    string     `json:"sha256,omitempty"`    // of its file
	Precision []Accuracy `json:"precision,omitempty"` // average precision by condition, best 1
	Found     []Found    `json:"found,omitempty"`     // by class; nil where the card has no such table
	Weak      []Weakness `json:"weak,omitempty"`      // known weaknesses
	Note      string     `json:"note,omitempty"`
}

// Accuracy is the average precision of each class under one condition of light or view, at
// an overlap of 0.5: 1 is without fault. A class that was not measured is left out.
type Accuracy struct {
	Condition string             `json:"condition"`
	Classes   map[string]float64 `json:"classes"`
}

// Found is how many objects of one class in the test pictures were found, and which share
// of all detections of the class is right.
type Found struct {
	Class string  `json:"class"`
	Found int     `json:"found"`
	Of    int     `json:"of"`
	Right float64 `json:"right"` // 0–1
}

// A Weakness is one known weakness, in the words of the model card.
type Weakness struct {
	Class string `json:"class,omitempty"` // the class that it is about; empty: several, or none
	Text  string `json:"text"`
}

// ReadModelCard parses the tables and the known weaknesses of the model card. It returns
// one Model for each network that the table of precision names. An error says which part
// of the card has another form than the one that is read.
func ReadModelCard() ([]Model, error) { return parseModelCard(neural.ModelCard()) }

// The parts of the card that are read. The first table begins with the name of the network
// that its rows are about; a row of another network begins with that one's name.
var (
	networkName = regexp.MustCompile("^`([a-z0-9-]+)`(?:, (.+))?$")
	foundCell   = regexp.MustCompile(`^(\d+) of (\d+)$`)
	bulletWord  = regexp.MustCompile(`^(?:\*\*)?(\p{L}+(?: vehicles)?)`)
)

const (
	accuracyHeading = "## Accuracy"
	weakHeading     = "## Known weaknesses"
)

func parseModelCard(text string) ([]Model, error) {
	tables := readTables(section(text, accuracyHeading))
	if len(tables) < 2 {
		return nil, fmt.Errorf("the model card has %d tables under %q: the first two are precision and objects found", len(tables), accuracyHeading)
	}
	models, err := parsePrecision(tables[0])
	if err != nil {
		return nil, err
	}
	if models[0].Found, err = parseFound(tables[1]); err != nil {
		return nil, err
	}
	weak := parseWeaknesses(section(text, weakHeading))
	if len(weak) == 0 {
		return nil, fmt.Errorf("the model card has no list under %q", weakHeading)
	}
	for i := range models {
		models[i].Weak = weak
	}
	return models, nil
}

// section is the text between a heading and the next of the same level.
func section(text, heading string) string {
	_, text, _ = strings.Cut(text, "\n"+heading+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// readTables returns the tables of a Markdown text as rows of cells, without the rule
// below the heading.
func readTables(text string) (tables [][][]string) {
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			inside = false
			continue
		}
		if !inside {
			tables, inside = append(tables, nil), true
		}
		if strings.Trim(line, "|-: ") == "" {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		tables[len(tables)-1] = append(tables[len(tables)-1], cells)
	}
	return tables
}

// parsePrecision reads the table of average precision.
func parsePrecision(table [][]string) ([]Model, error) {
	head := networkName.FindStringSubmatch(table[0][0])
	if head == nil {
		return nil, fmt.Errorf("the model card's first table begins with %q: it must be the name of a network", table[0][0])
	}
	classes := table[0][1:]
	for _, c := range classes {
		if _, err := counting.ParseClass(c); err != nil {
			return nil, fmt.Errorf("the model card's table of precision: %w", err)
		}
	}
	models := []Model{{Name: head[1]}}
	for _, row := range table[1:] {
		m, a := &models[0], Accuracy{Condition: row[0], Classes: map[string]float64{}}
		if other := networkName.FindStringSubmatch(row[0]); other != nil {
			models = append(models, Model{Name: other[1]})
			m, a.Condition = &models[len(models)-1], other[2]
		}
		for i, cell := range row[1:] {
			if v, err := strconv.ParseFloat(cell, 64); err == nil && i < len(classes) {
				a.Classes[classes[i]] = v
			}
		}
		if len(a.Classes) > 0 {
			m.Precision = append(m.Precision, a)
		}
	}
	return models, nil
}

// parseFound reads the table of objects found by height, and adds up its columns.
func parseFound(table [][]string) (all []Found, err error) {
	for _, row := range table[1:] {
		f := Found{Class: row[0]}
		if _, err := counting.ParseClass(f.Class); err != nil {
			return nil, fmt.Errorf("the model card's table of objects found: %w", err)
		}
		for _, cell := range row[1:] {
			if m := foundCell.FindStringSubmatch(cell); m != nil {
				found, _ := strconv.Atoi(m[1])
				of, _ := strconv.Atoi(m[2])
				f.Found, f.Of = f.Found+found, f.Of+of
			} else if share, ok := strings.CutSuffix(cell, "%"); ok {
				if f.Right, err = strconv.ParseFloat(strings.TrimSpace(share), 64); err != nil {
					return nil, fmt.Errorf("the model card's table of objects found: %w", err)
				}
				f.Right /= 100
			}
		}
		if f.Of == 0 {
			return nil, fmt.Errorf("the model card's table of objects found has no \"n of m\" for %s", f.Class)
		}
		all = append(all, f)
	}
	return all, nil
}

// parseWeaknesses reads the list of known weaknesses. An item is about a class when its
// first words name it.
func parseWeaknesses(text string) (all []Weakness) {
	for item := range strings.SplitSeq("\n"+text, "\n- ") {
		item = strings.Join(strings.Fields(item), " ")
		if item == "" {
			continue
		}
		w := Weakness{Text: strings.ReplaceAll(strings.ReplaceAll(item, "**", ""), "`", "")}
		if m := bulletWord.FindStringSubmatch(item); m != nil {
			w.Class = classOfPlural(strings.ToLower(m[1]))
		}
		all = append(all, w)
	}
	return all
}

// classOfPlural returns the name of the class that an English plural means, or "".
func classOfPlural(word string) string {
	switch word {
	case "people":
		return counting.Person.String()
	case "heavy vehicles":
		return counting.Heavy.String()
	}
	if c, err := counting.ParseClass(strings.TrimSuffix(word, "s")); err == nil {
		return c.String()
	}
	return ""
}
