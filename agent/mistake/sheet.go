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
	wrong List
	torn  bool // not TOML at all: nothing was read

	tables []Table // in their order
}

// A Table is where a table begins in the file.
type Table struct {
	Path string // such as camera[0].line[1]
	Line int    // of its header, from 1
}

// Tables are the tables of the file, in their order.
func (s *Sheet) Tables() []Table { return slices.Clone(s.tables) }

// Line is the line of a key that the file gives, 0 for one that it does not.
func (s *Sheet) Line(key string) int { return s.keys[key].line }

type place struct {
	line  int
	value string
}

// Read decodes TOML into the struct that into points to, by the toml tags of
// its fields. Syntax errors, keys that the struct does not have and values of
// the wrong type become mistakes of the returned Sheet; all else in the file
// is decoded nevertheless, so that the caller can add what it finds wrong and
// report everything at once.
func Read(name string, data []byte, into any) *Sheet {
	s := &Sheet{name: name, keys: map[string]place{}}
	var tree map[string]any
	if err := toml.Unmarshal(data, &tree); err != nil {
		m := Mistake{Want: err.Error(), Hint: `the file is TOML: key = value, one a line, text in "quotes"`}
		if marked(data) {
			m.Hint = "it begins with a byte order mark: save it as UTF-8 without one (in Notepad: Save as, Encoding: UTF-8)"
		}
		var bad *toml.DecodeError
		if errors.As(err, &bad) {
			m.Line, _ = bad.Position()
			m.Want = strings.TrimPrefix(bad.Error(), "toml: ")
		}
		s.add(m)
		s.torn = true
		return s
	}
	s.index(data)
	s.fill(tree, into)
	return s
}

// marked is whether an editor wrote a byte order mark first, as those of
// Windows do; TOML has none.
func marked(data []byte) bool {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(data, []byte(mark)) {
			return true
		}
	}
	return false
}

// Wrong records a mistake in the value of a key that the struct does have.
// For a key that is missing in the file, the place is the table it belongs to.
func (s *Sheet) Wrong(key, want, hint string) {
	p := s.find(key)
	s.add(Mistake{Line: p.line, Key: key, Value: p.value, Want: want, Hint: hint})
}

// WrongSecret is Wrong for a value that may hold a password: it is not shown.
func (s *Sheet) WrongSecret(key, want, hint string) {
	s.add(Mistake{Line: s.find(key).line, Key: key, Want: want, Hint: hint})
}

// Torn reports whether the file is not TOML: then its values are all missing,
// and there is no point in saying so of each.
func (s *Sheet) Torn() bool { return s.torn }

// Has reports whether the file gives the key.
func (s *Sheet) Has(key string) bool {
	_, ok := s.keys[key]
	return ok
}

// At is the place of a key: file:line.
func (s *Sheet) At(key string) string {
	if p := s.find(key); p.line > 0 {
		return fmt.Sprintf("%s:%d", s.name, p.line)
	}
	return s.name
}

// Err is the List of all mistakes in the order of the file, or nil.
func (s *Sheet) Err() error {
	if len(s.wrong) == 0 {
		return nil
	}
	sorted := slices.Clone(s.wrong)
	slices.SortStableFunc(sorted, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return sorted
}

func (s *Sheet) add(m Mistake) {
	m.File = s.name
	if len(s.wrong) < maxMistakes {
		s.wrong = append(s.wrong, m)
	}
}

// find is the place of the key, or of the nearest table around it.
func (s *Sheet) find(key string) place {
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

// index notes where every key of a well-formed file stands.
func (s *Sheet) index(data []byte) {
	var p unstable.Parser
	p.Reset(data)
	table, count := "", map[string]int{}
	for p.NextExpression() {
		e := p.Expression()
		path, line, from := join(&p, table, e.Key(), nil)
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			path, line, _ = join(&p, "", e.Key(), count)
			if e.Kind == unstable.ArrayTable {
				count[path]++
				path = fmt.Sprintf("%s[%d]", path, count[path]-1)
			}
			table = path
			s.keys[path] = place{line: line}
			s.tables = append(s.tables, Table{path, line})
		case unstable.KeyValue:
			s.pair(&p, path, line, from, e, data)
		}
	}
}

// pair notes one key = value, and the keys inside an inline table.
func (s *Sheet) pair(p *unstable.Parser, path string, line, from int, e *unstable.Node, data []byte) {
	text, _, _ := strings.Cut(string(data[from:]), "\n")
	_, text, _ = strings.Cut(text, "=")
	s.keys[path] = place{line: line, value: brief(text)}
	if v := e.Value(); v.Kind == unstable.InlineTable {
		for it := v.Children(); it.Next(); {
			sub, line, from := join(p, path, it.Node().Key(), nil)
			s.pair(p, sub, line, from, it.Node(), data)
		}
	}
}

// join is the path of a key below a table, the line and the offset of its
// start. Tables that are members of arrays get the number of the last member.
func join(p *unstable.Parser, table string, key unstable.Iterator, count map[string]int) (path string, line, from int) {
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

// brief is a value without its comment, short enough for a line.
func brief(v string) string {
	if i := strings.Index(v, " #"); i >= 0 && strings.Count(v[:i], `"`)%2 == 0 {
		v = v[:i]
	}
	v = strings.TrimSpace(v)
	if r := []rune(v); len(r) > 48 {
		v = string(r[:47]) + "…"
	}
	return v
}
