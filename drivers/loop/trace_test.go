package loop_test

import (
	"bytes"
	"context"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"kerb/drivers/loop"
	"kerb/drivers/loop/looptest"
)

func readAll(t testing.TB, s looptest.Source) []loop.Edge {
	t.Helper()
	var all []loop.Edge
	var buf [3]loop.Edge
	for {
		n, _, err := s.ReadEdges(context.Background(), buf[:])
		all = append(all, buf[:n]...)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordingPlaysBackWhatWasRecorded(t *testing.T) {
	edges := []loop.Edge{
		{Line: 0, At: 1, Level: true},
		{Line: 1, On: true, At: 2, Level: true},
		{Line: 0, On: true, At: 1_000_000_007},
		{Line: 1, At: 1_000_000_005, Missed: 4},
		{Line: 0, At: 2_000_000_000},
	}
	var file bytes.Buffer
	r, err := loop.NewRecorder(looptest.NewPlayback(t, looptest.Batch{Edges: edges}, looptest.Batch{Now: 3 * time.Second}), &file, []string{"GPIO17", "GPIO27"})
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	trace, err := loop.NewTrace(&file, "t.csv", []string{"GPIO17", "GPIO27"})
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, trace); !reflect.DeepEqual(got, edges) {
		t.Errorf("played back\n%v, recorded\n%v", got, edges)
	}
	if _, now, err := trace.ReadEdges(context.Background(), make([]loop.Edge, 1)); now != 3*time.Second || err != io.EOF {
		t.Errorf("at the end: now = %v, %v; recorded until 3s", now, err)
	}
}

func TestBadRecordingNamesFileAndRow(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "t.csv: no rows: must begin with line,edge,ns"},
		{"other head", "a,b\n", "t.csv:1: head"},
		{"short row", "line,edge,ns\n# hi\n\na,on\n", "t.csv:4: \"a,on\": must be line,edge,ns"},
		{"no number", "line,edge,ns\na,on,1.5\n", "t.csv:2: ns = \"1.5\": must be a whole number"},
		{"negative", "line,edge,ns\na,on,-1\n", "t.csv:2: ns"},
		{"other word", "line,edge,ns\na,up,1\n", "t.csv:2: edge = \"up\": must be on, off, is_on or is_off"},
		{"unknown line", "line,edge,ns\nb,on,1\n", "t.csv:2: line \"b\": must be one of a"},
		{"nameless", "line,edge,ns\n,on,1\n", "t.csv:2: the line has no name"},
		{"backwards", "line,edge,ns\na,on,5\na,off,4\n", "t.csv:3: line a goes back in time, from 5 to 4 ns"},
		{"bad loss", "line,edge,ns,missed\na,on,5,x\n", "t.csv:2: missed = \"x\""},
		{"after the end", "line,edge,ns\n,end,5\na,on,6\n", "t.csv:3: a row after the end"},
		{"endless row", "line,edge,ns\n" + strings.Repeat("x", 9999), "t.csv:2: row longer than 4096 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			trace, err := loop.NewTrace(strings.NewReader(c.text), "t.csv", []string{"a"})
			for err == nil {
				_, _, err = trace.ReadEdges(context.Background(), make([]loop.Edge, 4))
			}
			if !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %q, want %q…", err, c.want)
			}
		})
	}
}

func FuzzTrace(f *testing.F) {
	f.Add("line,edge,ns\na,on,1\na,off,2,3\n,end,9\n")
	f.Add("line,edge,ns,missed\nb,is_on,0,\n\n#\n")
	f.Add("line,edge,ns\na,on,99999999999999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		trace, err := loop.NewTrace(strings.NewReader(text), "t.csv", nil)
		if err != nil {
			return
		}
		last := map[int]time.Duration{}
		var buf [5]loop.Edge
		for {
			n, now, err := trace.ReadEdges(context.Background(), buf[:])
			for _, e := range buf[:n] {
				if e.Line < 0 || e.Line >= len(trace.LineNames()) || e.At < last[e.Line] || e.At > now {
					t.Fatalf("edge %+v at %v of %d lines", e, now, len(trace.LineNames()))
				}
				last[e.Line] = e.At
			}
			if err != nil {
				return
			}
		}
	})
}
