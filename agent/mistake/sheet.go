package mistake

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxMistakes is the largest length of a List. A file with more is probably not
// a file of kerb's, and a longer list would not be read. Chosen by hand.
const maxMistakes = 50

// A Sheet is a decoded file with the line of every key in it, and the mistakes
// found so far.
type Sheet struct {
	name      string
	keys      map[string]place // by path, such as camera[0].line[1].from
	mistakes  List
	malformed bool            // not TOML: no key was read
	undecoded map[string]bool // keys whose value has another type than their field

	tables []Table // in their order
}

// A Table is the position of one table in the file.
type Table struct {
	Path string // such as camera[0].line[1]
	Line int    // of its header, from 1
}

// Tables returns the tables of the file, in their order.
func (s *Sheet) Tables() []Table { return slices.Clone(s.tables) }

// Name is the path of the file.
func (s *Sheet) Name() string { return s.name }

// KeyLine is the line of a key, from 1; 0 for a key that the file does not
// have.
func (s *Sheet) KeyLine(key string) int { return s.keys[key].line }

// place is the line of a key and its value as written, shortened for a message.
type place struct {
	line  int
	value string
}

// DecodeTOML decodes TOML into the struct that into points to, by the toml tags
// of its fields. Syntax errors, keys without a field and values of a wrong type
// become mistakes of the returned Sheet. All other values are decoded
// nevertheless, so that the caller can add its own mistakes and report all of
// them together. A file with a syntax error is not decoded at all: see
// Malformed.
func DecodeTOML(name string, data []byte, into any) *Sheet {
	s := &Sheet{name: name, keys: map[string]place{}, undecoded: map[string]bool{}}
	var tree map[string]any
	if err := toml.Unmarshal(data, &tree); err != nil {
		m := Mistake{Want: err.Error(), Hint: `the file is TOML: key = value, one a line, text in "quotes"`}
		if hasByteOrderMark(data) {
			m.Hint = "it begins with a byte order mark: save it as UTF-8 without one (in Notepad: Save as, Encoding: UTF-8)"
		}
		var bad *toml.DecodeError
		if errors.As(err, &bad) {
			m.Line, _ = bad.Position()
			m.Want = strings.TrimPrefix(bad.Error(), "toml: ")
			if want, hint, line := explainSyntax(data, m.Line, m.Want); want != "" && !hasByteOrderMark(data) {
				m.Want, m.Hint, m.Line = want, hint, line
			}
		}
		s.addMistake(m)
		s.malformed = true
		return s
	}
	s.indexKeys(data)
	s.decodeTree(tree, into)
	return s
}

// hasByteOrderMark reports whether the file begins with a byte order mark of
// UTF-8 or UTF-16, as editors on Windows write it. TOML does not allow one.
func hasByteOrderMark(data []byte) bool {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(data, []byte(mark)) {
			return true
		}
	}
	return false
}

// Reject adds a mistake in the value of a key that the struct has. Want is the
// values that are allowed. For a key that the file does not have, the line is
// that of the nearest table around it.
func (s *Sheet) Reject(key, want, hint string) {
	for at := key; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if s.undecoded[at] { // the value is not there for this check, and one mistake is told once
			return
		}
	}
	p := s.nearestPlace(key)
	s.addMistake(Mistake{Line: p.line, Key: key, Value: p.value, Want: want, Hint: hint})
}

// rejectType is Reject for a value of another type than that of its field.
func (s *Sheet) rejectType(key, want, hint string) {
	s.Reject(key, want, hint)
	s.undecoded[key] = true
	for strings.HasSuffix(key, "]") { // a list with such a member is no list for further checks
		key = key[:strings.LastIndexByte(key, '[')]
		s.undecoded[key] = true
	}
}

// RejectSecret is Reject without the value, for a key that may hold a password.
func (s *Sheet) RejectSecret(key, want, hint string) {
	s.addMistake(Mistake{Line: s.nearestPlace(key).line, Key: key, Want: want, Hint: hint})
}

// Malformed reports whether the file is not TOML. Then no key of it is known,
// and checks for missing keys would only add noise.
func (s *Sheet) Malformed() bool { return s.malformed }

// HasKey reports whether the file has the key.
func (s *Sheet) HasKey(key string) bool {
	_, ok := s.keys[key]
	return ok
}

// Locate is the position of a key as file:line; the file alone if no line is
// known.
func (s *Sheet) Locate(key string) string {
	if p := s.nearestPlace(key); p.line > 0 {
		return fmt.Sprintf("%s:%d", s.name, p.line)
	}
	return s.name
}

// Err is the List of all mistakes, in the order of the file, or nil.
func (s *Sheet) Err() error {
	if len(s.mistakes) == 0 {
		return nil
	}
	sorted := slices.Clone(s.mistakes)
	slices.SortStableFunc(sorted, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return sorted
}

// addMistake adds m, up to maxMistakes.
func (s *Sheet) addMistake(m Mistake) {
	m.Key, m.Value = escapeUnprintable(m.Key), escapeUnprintable(m.Value)
	m.Want, m.Hint = escapeUnprintable(hideUsers(m.Want)), escapeUnprintable(hideUsers(m.Hint))
	m.File = s.name
	if len(s.mistakes) < maxMistakes {
		s.mistakes = append(s.mistakes, m)
	}
}

// escapeUnprintable writes characters that a terminal does not show, such as those that
// turn the direction of the text, as \u and four digits.
func escapeUnprintable(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// nearestPlace is the place of the key, or the line of the innermost table or
// list around it.
func (s *Sheet) nearestPlace(key string) place {
	if p, ok := s.keys[key]; ok {
		return p
	}
	for {
		if p, ok := s.keys[key+"[0]"]; ok { // a list of tables
			return place{line: p.line}
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return place{}
		}
		key = key[:i]
		if p, ok := s.keys[key]; ok {
			return place{line: p.line}
		}
	}
}

// indexKeys records the line of every key and table of a well-formed file, with
// the low-level parser of go-toml: its decoder does not give lines.
func (s *Sheet) indexKeys(data []byte) {
	var p unstable.Parser
	p.Reset(data)
	table, count := "", map[string]int{}
	for p.NextExpression() {
		e := p.Expression()
		path, line, from := joinPath(&p, table, e.Key(), nil)
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			path, line, _ = joinPath(&p, "", e.Key(), count)
			if e.Kind == unstable.ArrayTable {
				count[path]++
				path = fmt.Sprintf("%s[%d]", path, count[path]-1)
			}
			table = path
			s.keys[path] = place{line: line}
			s.tables = append(s.tables, Table{path, line})
		case unstable.KeyValue:
			s.indexPair(&p, path, line, from, e, data)
		}
	}
}

// indexPair records one key = value, and the keys inside an inline table or inside a
// list of them.
func (s *Sheet) indexPair(p *unstable.Parser, path string, line, from int, e *unstable.Node, data []byte) {
	text, _, _ := strings.Cut(string(data[from:]), "\n")
	_, text, _ = strings.Cut(text, "=")
	v := e.Value()
	switch v.Kind { // in an inline table others follow on the line
	case unstable.Integer, unstable.Float, unstable.Bool:
		text = string(v.Data)
	case unstable.String:
		text = string(data[v.Raw.Offset:][:v.Raw.Length])
	}
	s.keys[path] = place{line: line, value: shortenValue(hideSecrets(text))}
	switch v.Kind {
	case unstable.InlineTable:
		s.indexInline(p, path, v, data)
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			if it.Node().Kind == unstable.InlineTable {
				s.indexInline(p, fmt.Sprintf("%s[%d]", path, i), it.Node(), data)
			}
		}
	}
}

// indexInline records the keys of the inline table at path.
func (s *Sheet) indexInline(p *unstable.Parser, path string, v *unstable.Node, data []byte) {
	for it := v.Children(); it.Next(); {
		sub, line, from := joinPath(p, path, it.Node().Key(), nil)
		s.indexPair(p, sub, line, from, it.Node(), data)
	}
}

// joinPath is the path of a key below a table, with the line and the byte
// offset of its start. A part of the path that names an array of tables gets
// the number of that array's last member, from count.
func joinPath(p *unstable.Parser, table string, key unstable.Iterator, count map[string]int) (path string, line, from int) {
	path = table
	for first := true; key.Next(); first = false {
		if first {
			at := p.Shape(p.Range(key.Node().Data)).Start
			line, from = at.Line, at.Offset
		} else if n := count[path]; n > 0 {
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
		if path != "" {
			path += "."
		}
		path += string(key.Node().Data)
	}
	return path, line, from
}

// maxShownValue is the most characters of a value in a message, so that the
// message stays on one line. Chosen by hand.
const maxShownValue = 48

// shortenValue is a value as written, without its comment, cut to maxShownValue
// characters.
func shortenValue(v string) string {
	if i := strings.Index(v, " #"); i >= 0 && strings.Count(v[:i], `"`)%2 == 0 {
		v = v[:i]
	}
	v = strings.TrimSpace(v)
	if r := []rune(v); len(r) > maxShownValue {
		v = string(r[:maxShownValue-1]) + "…"
	}
	return v
}
