package mistake

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxMistakes bounds the list: a file with more of them is something else.
const maxMistakes = 50

// A Sheet is a file that was read, with the place of every key in it and the
// mistakes found so far.
type Sheet struct {
	name  string
	keys  map[string]place // by path, such as camera[0].line[1].from
	mistakes List
	malformed  bool // not TOML at all: nothing was read

	tables []Table // in their order
}

// A Table is where a table begins in the file.
type Table struct {
	Path string // such as camera[0].line[1]
	Line int    // of its header, from 1
}

// Tables are the tables of the file, in their order.
func (s *Sheet) Tables() []Table { return slices.Clone(s.tables) }

// KeyLine is the line of a key that the file gives, 0 for one that it does not.
func (s *Sheet) KeyLine(key string) int { return s.keys[key].line }

type place struct {
	line  int
	value string
}

// DecodeTOML decodes TOML into the struct that into points to, by the toml tags of
// its fields. Syntax errors, keys that the struct does not have and values of
// the wrong type become mistakes of the returned Sheet; all else in the file
// is decoded nevertheless, so that the caller can add what it finds wrong and
// report everything at once.
func DecodeTOML(name string, data []byte, into any) *Sheet {
	s := &Sheet{name: name, keys: map[string]place{}}
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
		}
		s.addMistake(m)
		s.malformed = true
		return s
	}
	s.indexKeys(data)
	s.decodeTree(tree, into)
	return s
}

// hasByteOrderMark is whether an editor wrote a byte order mark first, as those of
// Windows do; TOML has none.
func hasByteOrderMark(data []byte) bool {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(data, []byte(mark)) {
			return true
		}
	}
	return false
}

// Reject records a mistake in the value of a key that the struct does have.
// For a key that is missing in the file, the place is the table it belongs to.
func (s *Sheet) Reject(key, want, hint string) {
	p := s.nearestPlace(key)
	s.addMistake(Mistake{Line: p.line, Key: key, Value: p.value, Want: want, Hint: hint})
}

// RejectSecret is Wrong for a value that may hold a password: it is not shown.
func (s *Sheet) RejectSecret(key, want, hint string) {
	s.addMistake(Mistake{Line: s.nearestPlace(key).line, Key: key, Want: want, Hint: hint})
}

// Malformed reports whether the file is not TOML: then its values are all missing,
// and there is no point in saying so of each.
func (s *Sheet) Malformed() bool { return s.malformed }

// HasKey reports whether the file gives the key.
func (s *Sheet) HasKey(key string) bool {
	_, ok := s.keys[key]
	return ok
}

// Locate is the place of a key: file:line.
func (s *Sheet) Locate(key string) string {
	if p := s.nearestPlace(key); p.line > 0 {
		return fmt.Sprintf("%s:%d", s.name, p.line)
	}
	return s.name
}

// Err is the List of all mistakes in the order of the file, or nil.
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

func (s *Sheet) addMistake(m Mistake) {
	m.File = s.name
	if len(s.mistakes) < maxMistakes {
		s.mistakes = append(s.mistakes, m)
	}
}

// nearestPlace is the place of the key, or of the nearest table around it.
func (s *Sheet) nearestPlace(key string) place {
	if p, ok := s.keys[key]; ok {
		return p
	}
	for {
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

// indexKeys notes where every key of a well-formed file stands.
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

// indexPair notes one key = value, and the keys inside an inline table.
func (s *Sheet) indexPair(p *unstable.Parser, path string, line, from int, e *unstable.Node, data []byte) {
	text, _, _ := strings.Cut(string(data[from:]), "\n")
	_, text, _ = strings.Cut(text, "=")
	s.keys[path] = place{line: line, value: shortenValue(text)}
	if v := e.Value(); v.Kind == unstable.InlineTable {
		for it := v.Children(); it.Next(); {
			sub, line, from := joinPath(p, path, it.Node().Key(), nil)
			s.indexPair(p, sub, line, from, it.Node(), data)
		}
	}
}

// joinPath is the path of a key below a table, the line and the offset of its
// start. Tables that are members of arrays get the number of the last member.
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

// shortenValue is a value without its comment, short enough for a line.
func shortenValue(v string) string {
	if i := strings.Index(v, " #"); i >= 0 && strings.Count(v[:i], `"`)%2 == 0 {
		v = v[:i]
	}
	v = strings.TrimSpace(v)
	if r := []rune(v); len(r) > 48 {
		v = string(r[:47]) + "…"
	}
	return v
}
