package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"kerb/agent/mistake"
)

// editor collects edits of a file by lines. The sheet gives the lines of tables
// and keys.
type editor struct {
	sheet  *mistake.Sheet
	lines  []string // with their line ends
	camera string
	edits  []edit
	err    error
}

// edit replaces the lines [from, to), counted from 0, by text.
type edit struct {
	from, to int
	text     string
	newTable bool // text is a new table: it follows new keys at the same line
}

// editTables adds the edits that change the tables of one kind from was to now.
// Tables that are written as one inline value cannot be edited and are an
// error, unless they stay equal.
func (e *editor) editTables(kind string, was, now []item) {
	if len(was) > 0 && e.sheet.KeyLine(e.tablePath(kind, 0)) == 0 {
		if !reflect.DeepEqual(was, now) {
			e.err = fmt.Errorf("%s: %s.%s is written within one value: write each as a table, [[camera.%s]]", e.sheet.Locate(e.camera+"."+kind), e.camera, kind, kind)
		}
		return
	}
	old := matchItems(was, now)
	kept := map[int]bool{}
	for i, n := range now {
		if old[i] >= 0 {
			kept[old[i]] = true
			e.changeValues(e.tablePath(kind, old[i]), was[old[i]], n)
		}
	}
	for i := range was {
		if !kept[i] {
			e.removeTable(e.tablePath(kind, i))
		}
	}
	at := e.insertionLine(kind)
	for i, n := range now {
		if old[i] >= 0 {
			continue
		}
		text := "\n[[camera." + kind + "]]\n"
		for _, p := range n.keys {
			text += p.key + " = " + p.value + "\n"
		}
		e.edits = append(e.edits, edit{at, at, text, true})
	}
}

func (e *editor) tablePath(kind string, i int) string {
	return fmt.Sprintf("%s.%s[%d]", e.camera, kind, i)
}

// matchItems gives for each new item the index of the old one that it replaces,
// or -1: the old item with the same id, or else the one at the same index.
func matchItems(was, now []item) []int {
	old := make([]int, len(now))
	taken := map[int]bool{}
	for i, n := range now {
		old[i] = -1
		if j := slices.IndexFunc(was, func(w item) bool { return w.id == n.id && n.id != "" }); j >= 0 && !taken[j] {
			old[i], taken[j] = j, true
		}
	}
	for i := range now {
		if old[i] < 0 && i < len(was) && !taken[i] {
			old[i], taken[i] = i, true
		}
	}
	return old
}

// tableLines is the range of a table's lines [from, to): its header to its last
// key. Blank lines and comments after that belong to the next table.
func (e *editor) tableLines(path string) (from, to int) {
	from = e.sheet.KeyLine(path) - 1
	to = len(e.lines)
	for _, t := range e.sheet.Tables() {
		if t.Line-1 > from {
			to = t.Line - 1
			break
		}
	}
	for to > from+1 {
		if text := strings.TrimSpace(e.lines[to-1]); text != "" && text[0] != '#' {
			break
		}
		to--
	}
	return from, to
}

// insertionLine is the line at which a new table of the kind is inserted: after
// the last one of its kind, or after the last table of its camera.
func (e *editor) insertionLine(kind string) int {
	last := e.camera
	for _, t := range e.sheet.Tables() {
		if strings.HasPrefix(t.Path, e.camera+"."+kind+"[") {
			last = t.Path
		}
	}
	if last == e.camera {
		for _, t := range e.sheet.Tables() {
			if strings.HasPrefix(t.Path, e.camera+".") {
				last = t.Path
			}
		}
	}
	_, to := e.tableLines(last)
	return to
}

// changeValues adds edits for the keys with a new value. A key that the table
// does not have is added at its end.
func (e *editor) changeValues(path string, was, now item) {
	for i, p := range now.keys {
		if was.keys[i].value == p.value {
			continue
		}
		line := e.sheet.KeyLine(path+"."+p.key) - 1
		if line < 0 {
			_, to := e.tableLines(path)
			e.edits = append(e.edits, edit{from: to, to: to, text: p.key + " = " + p.value + "\n"})
			continue
		}
		to, rest := e.valueEnd(line)
		indent := e.lines[line][:len(e.lines[line])-len(strings.TrimLeft(e.lines[line], " \t"))]
		e.edits = append(e.edits, edit{from: line, to: to, text: indent + p.key + " = " + p.value + rest + "\n"})
	}
}

// valueEnd is the line after a value that begins in the given line and may go
// on over several, and the comment behind the value. It counts brackets and
// skips strings in quotes.
func (e *editor) valueEnd(line int) (to int, comment string) {
	depth, quote := 0, byte(0)
	for to = line; to < len(e.lines); to++ {
		text := strings.TrimRight(e.lines[to], "\r\n")
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case quote != 0:
				if c == '\\' && quote == '"' {
					i++
				} else if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '[' || c == '{':
				depth++
			case c == ']' || c == '}':
				depth--
			case c == '#':
				if depth == 0 {
					comment = " " + text[i:]
				}
				i = len(text)
			}
		}
		if depth <= 0 {
			return to + 1, comment
		}
	}
	return to, ""
}

// removeTable adds the edit that removes a table with the comment right above
// it. Above the first table of a kind the comment stays: it may describe all of
// them.
func (e *editor) removeTable(path string) {
	from, to := e.tableLines(path)
	if !strings.HasSuffix(path, "[0]") {
		for from > 0 && strings.HasPrefix(strings.TrimSpace(e.lines[from-1]), "#") {
			from--
		}
	}
	if from > 0 && strings.TrimSpace(e.lines[from-1]) == "" {
		from--
	}
	e.edits = append(e.edits, edit{from: from, to: to})
}

// removeLabels adds the edits that remove the tables [[stream]] of the given ids;
// order is the order of all of them in the file.
func (e *editor) removeLabels(order, ids []string) {
	for i, id := range order {
		path := fmt.Sprintf("stream[%d]", i)
		switch {
		case !slices.Contains(ids, id):
		case e.sheet.KeyLine(path) == 0:
			e.err = fmt.Errorf("%s: stream is written as one value: write each as a table, [[stream]]", e.sheet.Locate("stream"))
			return
		default:
			e.removeTable(path)
		}
	}
}

// applyEdits is the text of the file with all edits, in the order of their
// lines.
func (e *editor) applyEdits() []byte {
	slices.SortStableFunc(e.edits, func(a, b edit) int {
		if a.from != b.from || a.newTable == b.newTable {
			return a.from - b.from
		}
		if a.newTable {
			return 1
		}
		return -1
	})
	var b strings.Builder
	at := 0
	for _, d := range e.edits {
		for at < d.from {
			b.WriteString(e.lines[at])
			at++
		}
		b.WriteString(d.text)
		at = max(at, d.to)
	}
	for ; at < len(e.lines); at++ {
		b.WriteString(e.lines[at])
	}
	return []byte(b.String())
}
