package mistake

import (
	"regexp"
	"strings"
)

// syntaxMistakes are the usual slips of people who write TOML for the first time, by
// the form of the line and, where two look alike, by the parser's message. The first
// that matches is told.
var syntaxMistakes = []struct {
	line, message *regexp.Regexp // both must match; nil matches everything
	want, hint    string
}{
	{regexp.MustCompile(`[“”„‟«»‘’‚]`), nil, "has typographic quotes, which are no quotes of TOML", `write straight ones: name = "north" (in a word processor they are put in by themselves: use a text editor)`},
	{regexp.MustCompile(`^\s*(//|;|--|/\*)`), nil, "is no comment of TOML", "a comment begins with #"},
	{regexp.MustCompile(`^\s*[\w.-]+\s*:`), nil, "must be key = value: TOML has = where YAML has :", `for example name = "north"`},
	{regexp.MustCompile(`^\s*[\w.-]+\s*==`), nil, "has == where one = belongs", `for example name = "north"`},
	{nil, regexp.MustCompile(`cannot have new lines`), "has a quote that does not end on its line", `close it: name = "north"`},
	{nil, regexp.MustCompile(`invalid escape`), `has a \ in "…", where it begins an escape`, `write \\, or use single quotes: '…'`},
	{regexp.MustCompile(`=[^"'#]*\d,\d+(\s*(#.*)?$|\s+\d|\s*\])`), nil, "has a decimal comma", "write a point: 0.5; a comma separates members: [0.1, 0.6]"},
	{regexp.MustCompile(`=\s*\[[^\]]*$`), nil, "has a [ that is not closed", "for example from = [0.1, 0.6]"},
	{nil, regexp.MustCompile(`table .* already exists`), "is there twice", "put the keys of both under one such line; only tables in [[ ]] may come again"},
	{nil, regexp.MustCompile(`already defined`), "sets a key that this table has already", "keep one of the two lines"},
	{regexp.MustCompile(`=\s*[A-Za-zÀ-ɏ/][^"]*$`), nil, "must have its text in quotes", `for example name = "north"`},
}

// explainSyntax returns the mistake in line n of a file that is not TOML, from 1,
// and how to mend it, and the line itself: an unclosed bracket is found by the parser
// one line later. want is "" for an error of another kind.
func explainSyntax(data []byte, n int, message string) (want, hint string, line int) {
	lines := strings.Split(string(data), "\n")
	if n < 1 || n > len(lines) {
		return "", "", n
	}
	if n > 1 && strings.Contains(message, "after array value") && strings.Count(lines[n-2], "[") > strings.Count(lines[n-2], "]") {
		n--
	}
	text := strings.TrimRight(lines[n-1], "\r")
	for _, m := range syntaxMistakes {
		if (m.line == nil || m.line.MatchString(text)) && (m.message == nil || m.message.MatchString(message)) {
			return m.want, m.hint, n
		}
	}
	return "", "", n
}
