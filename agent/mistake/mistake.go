// Package mistake decodes kerb's TOML files into structs and collects every
// mistake in them: its line, its key, the values that are allowed and, where
// there is one, a hint. Decoding goes on after a mistake, because an engineer
// at a device can then repair all of them at once. From the same structs and a
// list of keys the package writes the JSON Schema of a file, for editors.
//
// It refuses keys that the struct does not have and values of another type. It
// changes no file and puts no default in the place of a wrong value.
package mistake

import (
	"fmt"
	"strings"
)

// A Mistake is one mistake in a file.
type Mistake struct {
	File  string `json:"file,omitempty"`  // empty in a list of a command: no file's
	Line  int    `json:"line,omitempty"`  // 0: the file as a whole
	Key   string `json:"key,omitempty"`   // such as camera[0].fps; empty for a syntax error
	Value string `json:"value,omitempty"` // as written in the file; empty where there is none, and for secrets
	Want  string `json:"want"`            // the values that are allowed: "must be 1–30"
	Hint  string `json:"hint,omitempty"`  // how to repair it, or empty
}

// Error is one line: site.toml:14: camera[0].fps = 0: must be 1–30.
func (m Mistake) Error() string {
	var b strings.Builder
	if m.File != "" { // where it is empty, Want names the file
		b.WriteString(m.File)
		if m.Line > 0 {
			fmt.Fprintf(&b, ":%d", m.Line)
		}
		b.WriteString(": ")
	}
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

// A List holds all mistakes of one file. It is used as an error, and only when
// it is not empty.
type List []Mistake

// Error is one line for each mistake, each followed by its hint.
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

// maxSlips is the largest edit distance that counts as a slip of the keyboard.
// Chosen by hand.
const maxSlips = 2

// closestName is the member of known with the smallest edit distance to s, for
// "did you mean". It returns "" where every distance is above maxSlips, or not
// below the length of the member.
func closestName(s string, known []string) string {
	best, name := maxSlips+1, ""
	s = strings.ToLower(s) // FPS for fps is one slip
	for _, k := range known {
		if d := editDistance(s, k); d < best && d < len(k) {
			best, name = d, k
		}
	}
	return name
}

// editDistance is the Levenshtein distance of a and b in bytes, computed with
// one row of the matrix (Wagner and Fischer 1974).
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
