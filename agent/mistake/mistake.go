// Package mistake reads a TOML file of kerb's and collects everything that is
// wrong with it, each mistake with its place, what is allowed there and, where
// one can be given, a hint. It edits nothing and guesses nothing.
package mistake

import (
	"fmt"
	"strings"
)

// A Mistake is one thing wrong with a file.
type Mistake struct {
	File  string
	Line  int    // 0: the file as a whole
	Key   string // such as camera[0].fps; empty for a syntax error
	Value string // as written; empty where there is none
	Want  string // what is allowed: "must be 1–30"
	Hint  string // what to do, or empty
}

// Error is one line: site.toml:14: camera[0].fps = 0: must be 1–30.
func (m Mistake) Error() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d", m.Line)
	}
	b.WriteString(": ")
	if m.Key != "" {
		b.WriteString(m.Key)
		if m.Value != "" {
			b.WriteString(" = " + m.Value)
		}
		b.WriteString(": ")
	}
	b.WriteString(m.Want)
	return b.String()
}

// A List is all that is wrong with a file. It is an error when it is not empty.
type List []Mistake

// Error is one line per mistake, each followed by its hint.
func (l List) Error() string {
	var lines []string
	for _, m := range l {
		lines = append(lines, m.Error())
		if m.Hint != "" {
			lines = append(lines, "hint: "+m.Hint)
		}
	}
	return strings.Join(lines, "\n")
}

// closestName is the member of known that s was probably meant to be, or "" if
// none is within a typing slip or two.
func closestName(s string, known []string) string {
	best, name := 3, ""
	for _, k := range known {
		if d := editDistance(s, k); d < best && d < len(k) {
			best, name = d, k
		}
	}
	return name
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
