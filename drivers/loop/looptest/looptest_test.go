package looptest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"kerb/drivers/loop"
	"kerb/drivers/loop/looptest"
)

// fakeTB records the failures of a test without failing this one.
type fakeTB struct {
	said string
	ends []func()
}

func (s *fakeTB) Helper()                        {}
func (s *fakeTB) Errorf(format string, a ...any) { s.said += fmt.Sprintf(format, a...) }
func (s *fakeTB) Cleanup(f func())               { s.ends = append(s.ends, f) }

func TestLeftoversFailTheTest(t *testing.T) {
	for _, read := range []int{0, 1, 2} {
		s := &fakeTB{}
		p := looptest.NewPlayback(s, looptest.Batch{Now: time.Second}, looptest.Batch{Edges: []loop.Edge{{At: 2}}})
		for range read {
			if _, _, err := p.ReadEdges(context.Background(), make([]loop.Edge, 4)); err != nil {
				t.Fatal(err)
			}
		}
		s.ends[0]()
		if want := fmt.Sprintf("%d batches were not read", 2-read); (read < 2) != strings.Contains(s.said, want) {
			t.Errorf("%d of 2 batches read: said %q", read, s.said)
		}
	}
}

func TestRecordPlaysBackTheSame(t *testing.T) {
	gone := errors.New("gone")
	batches := []looptest.Batch{{Edges: []loop.Edge{{At: 1, On: true}, {At: 5}}, Now: 7}, {Now: 9}, {Now: 9, Err: gone}}
	say := func(src looptest.Source) (said string) {
		buf := make([]loop.Edge, 8)
		for {
			n, now, err := src.ReadEdges(context.Background(), buf)
			if err == io.EOF {
				return said
			}
			said += fmt.Sprintln(buf[:n], now, err)
		}
	}
	r := &looptest.Recording{Source: looptest.NewPlayback(t, batches...)}
	first := say(r)
	again := say(looptest.NewPlayback(t, r.Batches[:len(r.Batches)-1]...))
	if first != again || !strings.Contains(first, "gone") {
		t.Errorf("recorded\n%splayed back\n%s", first, again)
	}
}
