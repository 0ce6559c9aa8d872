package fleet

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// placeholderPattern is a column of the table in a template.
var placeholderPattern = regexp.MustCompile(`\{\{ *([A-Za-z0-9_-]+) *\}\}`)

// siteTemplate is the text of site.toml with placeholders {{column}}.
type siteTemplate struct {
	path, text string
	lines      [][]string // the columns in each line
}

// readTemplate reads a template. A placeholder that is no column is an error with its
// line.
func readTemplate(path string, columns []string) (*siteTemplate, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	t := &siteTemplate{path: path, text: string(b)}
	for i, line := range strings.Split(t.text, "\n") {
		var used []string
		for _, m := range placeholderPattern.FindAllStringSubmatch(line, -1) {
			if !slices.Contains(columns, m[1]) {
				return nil, fmt.Errorf("%s:%d: {{%s}} is no column of the table, which has %s", path, i+1, m[1], strings.Join(columns, ", "))
			}
			used = append(used, m[1])
		}
		t.lines = append(t.lines, used)
	}
	return t, nil
}

// tomlEscapes writes what must not stand as it is in a basic string of TOML.
var tomlEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// fill returns the text with the values of a row. A value with a control character is an
// error: it could begin a line of its own.
func (t *siteTemplate) fill(r row) (string, error) {
	for c, v := range r.values {
		if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return "", fmt.Errorf("column %s holds a control character", c)
		}
	}
	return placeholderPattern.ReplaceAllStringFunc(t.text, func(m string) string {
		return tomlEscapes.Replace(r.values[placeholderPattern.FindStringSubmatch(m)[1]])
	}), nil
}

// columnsIn returns the columns in a line of the template, counted from 1.
func (t *siteTemplate) columnsIn(line int) []string {
	if line < 1 || line > len(t.lines) {
		return nil
	}
	return t.lines[line-1]
}
