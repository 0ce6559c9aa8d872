package mistake

import (
	"regexp"
	"strings"
)

// syntaxMistakes are the usual slips of people who write TOML for the first time, by
// the form of the line and, where two look alike, by the parser's message. The first
// that matches is told.
var syntaxMistakes = []struct {
	line, message string // regular expressions, both must match; "" matches everything
	want, hint    string
}{
	{`[“”„‟«»‘’‚]`, "", "has typographic quotes, which are no quotes of TOML", `write straight ones: name = "north" (in a word processor they are put in by themselves: use a text editor)`},
	{`^\s*(//|;|--|/\*)`, "", "is no comment of TOML", "a comment begins with #"},
	{"", `invalid UTF-8`, "has letters that are not in UTF-8", "save the file as UTF-8 (in Notepad: Save as, Encoding: UTF-8)"},
	{`\x00`, "", "has zero bytes: it is no text, or damaged", "copy it again, as text in UTF-8"},
	{`\r.`, "", "has line ends of one character (CR)", "save it with the line ends LF or CRLF"},
	{`[\x{a0}\x{2002}-\x{200b}\x{202f}\x{feff}]`, "", "has a blank that is none of TOML, as copied from a page", "delete the blanks of this line and type them again"},
	{`=\s*[–—−]`, "", "has a dash where a minus belongs", "type -"},
	{`^\s*\{\\rtf`, "", "is a document of a word processor (RTF)", "save it as plain text, or use a text editor"},
	{`^\s*<`, "", "is a web page or XML, and the file is TOML", "download the file itself (Raw), not the page that shows it"},
	{`^\s*(\{|"[^"]*"\s*:)`, "", "is JSON, and the file is TOML", `write key = value, one a line: name = "north"`},
	{`^\s*[\w.-]+\s*:`, "", "must be key = value: TOML has = where YAML has :", `for example name = "north"`},
	{`^\s*[\w.-]+\s*==`, "", "has == where one = belongs", `for example name = "north"`},
	{"", `cannot have new lines`, "has a quote that does not end on its line", `close it: name = "north"`},
	{"", `invalid escape`, `has a \ in "…", where it begins an escape`, `write \\, or use single quotes: '…'`},
	{`=[^"'#]*\d\s*%`, "", "has a percent sign", "write a part of one: 0.05 for 5 %"},
	{`=\s*[+-]?\d[\d.]*\s*[A-Za-z°µ]+\s*(#.*)?$`, "must be quoted", "has a unit behind its number", `write the number alone: fps = 10; a duration is text: every = "10s"`},
	{`=[^"'#]*\d,\d+(\s*(#.*)?$|\s+\d|\s*\]|\s*,\s*[a-z_]+\s*=)`, "", "has a decimal comma", "write a point: 0.5; a comma separates members: [0.1, 0.6]"},
	{`=\s*\[[^\]]*$`, "", "has a [ that is not closed", "for example from = [0.1, 0.6]"},
	{"", `after array value`, "has two members of a list without a comma between them", `for example ["person", "bicycle"]`},
	{`=\s*(?i:true|false|yes|no|on|off)\s*(#.*)?$`, "", "has another word where true or false belongs", "in small letters, without quotes: true"},
	{`;\s*(#.*)?$`, "", "ends with ;, which TOML has not", "one key = value a line, and nothing behind it"},
	{`^\s*[\w.-]+\s+[\w-]+[^=]*=`, `expected '='`, "has a key with a blank", "a key is one word, with _ for a blank: password_file"},
	{"", `table .* already exists`, "is there twice", "put the keys of both under one such line; only tables in [[ ]] may come again"},
	{"", `already defined`, "sets a key that this table has already", "keep one of the two lines"},
	{`=\s*[A-Za-zÀ-ɏ/][^"]*$`, "", "must have its text in quotes", `for example name = "north"`},
	{"", `expected newline`, "has something behind its value", "one key = value a line; a comment begins with #"},
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
		if matches(m.line, text) && matches(m.message, message) {
			return m.want, m.hint, n
		}
	}
	return "", "", n
}

// matches compiles pattern each time, because few files have such a mistake, and the
// compiled patterns of all would stay in the memory of each process.
func matches(pattern, text string) bool {
	return pattern == "" || regexp.MustCompile(pattern).MatchString(text)
}
