package loop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// traceHeader is the first row of a recording, in CSV; ",missed" may follow. Each
// further row is one edge:
//
//	line    name of the line
//	edge    on, off: a change; is_on, is_off: the level when it was opened
//	ns      nanoseconds of one monotonic clock, never decreasing within a line
//	missed  edges of this line lost right before this one; may be left out
//
// A row with an empty line and the edge "end" gives the end of the recording.
// Blank rows and rows that begin with # are skipped.
const traceHeader = "line,edge,ns"

const (
	maxTraceLines = 64   // lines of a recording
	maxRow        = 4096 // bytes
)

// edgeWords are the words of an edge; bit 0 of the index is On, bit 1 is Level.
var edgeWords = [...]string{"off", "on", "is_off", "is_on"}

// Trace is a source that replays a recording.
type Trace struct {
	file       string
	scan       *bufio.Scanner
	close      func() error
	row        int
	names      []string
	namesGiven bool // other names are an error
	last       []time.Duration
	now        time.Duration
	ended      bool
}

// OpenTrace opens a recording of lines with the given names; edges of line i
// get the number i. Without names the lines are numbered as they appear.
func OpenTrace(path string, names []string) (*Trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t, err := NewTrace(f, path, names)
	if err != nil {
		f.Close()
		return nil, err
	}
	t.close = f.Close
	return t, nil
}

// NewTrace replays a recording from r, as OpenTrace does; file is its name in
// errors. It reads the header and returns an error where that is wrong.
func NewTrace(r io.Reader, file string, names []string) (*Trace, error) {
	t := &Trace{file: file, scan: bufio.NewScanner(r), names: slices.Clone(names), namesGiven: len(names) > 0, close: func() error { return nil }}
	t.scan.Buffer(make([]byte, 0, maxRow), maxRow)
	t.last = make([]time.Duration, len(names), maxTraceLines)
	head, err := t.nextRow()
	switch {
	case err == io.EOF:
		return nil, fmt.Errorf("%s: no rows: must begin with %s", file, traceHeader)
	case err != nil:
		return nil, err
	case head != traceHeader && head != traceHeader+",missed":
		return nil, t.rowError("head %q: must be %s or %s,missed", head, traceHeader, traceHeader)
	}
	return t, nil
}

// TraceLines reads a whole recording and returns the names of its lines in order
// of appearance, or the error of its first wrong row.
func TraceLines(path string) ([]string, error) {
	t, err := OpenTrace(path, nil)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	var buf [256]Edge
	for {
		if _, _, err := t.ReadEdges(context.Background(), buf[:]); err == io.EOF {
			return t.names, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// LineNames are the names of the lines known so far.
func (t *Trace) LineNames() []string { return t.names }

// Close closes the file.
func (t *Trace) Close() error { return t.close() }

// ReadEdges fills dst; now is the time of the last row. io.EOF: no more rows.
// Other errors name file and row.
func (t *Trace) ReadEdges(ctx context.Context, dst []Edge) (n int, now time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, t.now, err
	}
	for n < len(dst) {
		text, err := t.nextRow()
		if err == nil {
			err = t.parseRow(text, &dst[n], &n)
		}
		if err == io.EOF && n > 0 {
			return n, t.now, nil
		}
		if err != nil {
			return 0, t.now, err
		}
	}
	return n, t.now, nil
}

// nextRow is the next row that is neither blank nor a comment.
func (t *Trace) nextRow() (string, error) {
	for t.scan.Scan() {
		t.row++
		s := strings.TrimSpace(t.scan.Text())
		if s != "" && s[0] != '#' {
			return s, nil
		}
	}
	if err := t.scan.Err(); errors.Is(err, bufio.ErrTooLong) {
		t.row++
		return "", t.rowError("row longer than %d bytes", maxRow)
	} else if err != nil {
		return "", fmt.Errorf("%s: %w", t.file, err)
	}
	return "", io.EOF
}

// parseRow writes a row to e and counts it in n, unless it is the end row.
func (t *Trace) parseRow(row string, e *Edge, n *int) error {
	if t.ended {
		return t.rowError("a row after the end")
	}
	name, rest, ok := strings.Cut(row, ",")
	word, rest, ok2 := strings.Cut(rest, ",")
	if !ok || !ok2 {
		return t.rowError("%q: must be %s", row, traceHeader)
	}
	ns, lost, hasLost := strings.Cut(rest, ",")
	at, err := strconv.ParseInt(strings.TrimSpace(ns), 10, 64)
	if err != nil || at < 0 {
		return t.rowError("ns = %q: must be a whole number, 0 or more", ns)
	}
	*e = Edge{At: time.Duration(at)}
	if hasLost && strings.TrimSpace(lost) != "" {
		m, err := strconv.ParseUint(strings.TrimSpace(lost), 10, 32)
		if err != nil {
			return t.rowError("missed = %q: must be a whole number, 0 or more", lost)
		}
		e.Missed = uint32(m)
	}
	name, word = strings.TrimSpace(name), strings.TrimSpace(word)
	if name == "" && word == "end" {
		t.ended, t.now = true, max(t.now, e.At)
		return nil
	}
	w := slices.Index(edgeWords[:], word)
	if w < 0 {
		return t.rowError("edge = %q: must be on, off, is_on or is_off", word)
	}
	e.On, e.Level = w&1 == 1, w&2 == 2
	if e.Line, err = t.lineIndex(name); err != nil {
		return err
	}
	if e.At < t.last[e.Line] {
		return t.rowError("line %s goes back in time, from %d to %d ns", name, t.last[e.Line], e.At)
	}
	t.last[e.Line], t.now = e.At, max(t.now, e.At)
	*n++
	return nil
}

// lineIndex is the number of a line. It adds a new name, unless names were given.
func (t *Trace) lineIndex(name string) (int, error) {
	if name == "" {
		return 0, t.rowError("the line has no name")
	}
	if i := slices.Index(t.names, name); i >= 0 {
		return i, nil
	}
	if t.namesGiven {
		return 0, t.rowError("line %q: must be one of %s", name, strings.Join(t.names, ", "))
	}
	if len(t.names) == maxTraceLines {
		return 0, t.rowError("line %q: there are already %d lines", name, maxTraceLines)
	}
	t.names, t.last = append(t.names, name), append(t.last, 0)
	return len(t.names) - 1, nil
}

// rowError is an error with file and row.
func (t *Trace) rowError(format string, a ...any) error {
	return fmt.Errorf("%s:%d: %w", t.file, t.row, fmt.Errorf(format, a...))
}

// Source is the source that a Recorder records.
type Source interface {
	ReadEdges(ctx context.Context, dst []Edge) (n int, now time.Duration, err error)
}

// Recorder is a source that passes another source's edges on and writes them to a
// recording.
type Recorder struct {
	src   Source
	w     *bufio.Writer
	names []string
	row   []byte
	now   time.Duration
}

// NewRecorder writes a recording of src to w. names are those of its lines; they
// must be unique, not empty and free of commas, quotes, # and space.
func NewRecorder(src Source, w io.Writer, names []string) (*Recorder, error) {
	for i, n := range names {
		if n == "" || strings.ContainsAny(n, ",\"#\n\r\t ") || slices.Contains(names[:i], n) {
			return nil, fmt.Errorf("line name %q: must be unique, not empty and without comma, quote, # and space", n)
		}
	}
	r := &Recorder{src: src, w: bufio.NewWriter(w), names: slices.Clone(names)}
	_, err := fmt.Fprintln(r.w, traceHeader+",missed")
	return r, err
}

// ReadEdges reads from the source and records its edges. It does not allocate.
func (r *Recorder) ReadEdges(ctx context.Context, dst []Edge) (n int, now time.Duration, err error) {
	n, now, err = r.src.ReadEdges(ctx, dst)
	r.now = max(r.now, now)
	for _, e := range dst[:n] {
		w := 0
		if e.On {
			w = 1
		}
		if e.Level {
			w |= 2
		}
		r.row = append(append(r.row[:0], r.names[e.Line]...), ',')
		r.row = append(append(r.row, edgeWords[w]...), ',')
		r.row = append(strconv.AppendInt(r.row, int64(e.At), 10), ',')
		r.row = append(strconv.AppendUint(r.row, uint64(e.Missed), 10), '\n')
		if _, werr := r.w.Write(r.row); werr != nil {
			return n, now, fmt.Errorf("record edges: %w", werr)
		}
	}
	return n, now, err
}

// Close writes the end row and flushes. It closes neither the writer nor the
// source.
func (r *Recorder) Close() error {
	fmt.Fprintf(r.w, ",end,%d\n", r.now)
	if err := r.w.Flush(); err != nil {
		return fmt.Errorf("record edges: %w", err)
	}
	return nil
}
