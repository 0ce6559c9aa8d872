package supervisor

import (
	"log/slog"
	"testing"
	"time"

	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/counting"
)

func TestATallyThatWasNotAskedForIsRefused(t *testing.T) {
	stream := counting.Stream{ID: "kerb", Kind: counting.LineStream, Classes: []counting.Class{counting.Person}}
	w := &ipc.Window{N: 7, Start: 0, End: ipc.ToInstant(time.Unix(900, 0)), Streams: 2}
	p := &slot{streams: []counting.Stream{stream}, firstStream: 1}
	answer := func() *ipc.Tally {
		return ipc.PackTally(7, 0, counting.Tally{Observed: time.Minute, Quality: counting.Partial, Reason: counting.ReasonStarting})
	}
	asked := func() *collection {
		return &collection{n: 7, window: w, tallies: make([]*ipc.Tally, 2), open: map[*slot]bool{p: true}, complete: make(chan struct{})}
	}
	if err := asked().addTally(p, answer()); err != nil {
		t.Error(err)
	}
	for name, try := range map[string]func(c *collection) error{
		"no window ends": func(*collection) error { return (*collection)(nil).addTally(p, answer()) },
		"twice": func(c *collection) error {
			_ = c.addTally(p, answer())
			return c.addTally(p, answer())
		},
		"another's stream": func(c *collection) error { a := answer(); a.Stream = 1; return c.addTally(p, a) },
		"another window":   func(c *collection) error { a := answer(); a.N = 6; return c.addTally(p, a) },
		"another's classes": func(c *collection) error {
			a := answer()
			a.Crossings[counting.Heavy][0] = 1
			return c.addTally(p, a)
		},
		"a process that was not asked": func(c *collection) error {
			return c.addTally(&slot{streams: p.streams}, answer())
		},
	} {
		if err := try(asked()); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestRecordsThatAreNotStoredAreSentAgain(t *testing.T) {
	q := newQueue(time.Hour, func() time.Duration { return 0 })
	for range 3 {
		q.pushItem(func(n uint64) []ipc.Record { return []ipc.Record{&ipc.Step{N: n}} })
	}
	q.dropStored(1)
	for _, after := range []uint64{0, 1} {
		if i, ok := q.waitAfter(t.Context(), after); !ok || i.number != 2 {
			t.Errorf("the item after %d is %d", after, i.number)
		}
	}
	q.dropStored(3)
	if !q.waitEmpty(t.Context()) {
		t.Error("not empty")
	}
}

// The uplink does not store for two days under a retention of one: what waits for it is
// cleared, and goes after the retention.
func TestTheQueueHoldsNoExactCountAndNothingPastTheRetention(t *testing.T) {
	pol := policy.Demo()
	stream := counting.Stream{ID: "kerb", Kind: counting.LineStream, Classes: []counting.Class{counting.Person}}
	now := time.Duration(0)
	s := &Supervisor{policy: pol, streams: []counting.Stream{stream}, log: slog.New(slog.DiscardHandler), queue: newQueue(pol.Retention(), func() time.Duration { return now })}
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i := range 60 {
		now = time.Duration(i) * pol.Retention() / 30
		from := start.Add(time.Duration(i) * pol.Window())
		w := &ipc.Window{Start: ipc.ToInstant(from), End: ipc.ToInstant(from.Add(pol.Window())), Mono: now + time.Hour, Streams: 1}
		tally := ipc.PackTally(0, 0, counting.Tally{Observed: pol.Window()})
		tally.Crossings[counting.Person][counting.AToB] = 41
		c := &collection{window: w, tallies: []*ipc.Tally{tally}}
		cleared := s.clearCollection(c)
		if *tally != (ipc.Tally{}) {
			t.Fatal("the exact counts outlive the clearing")
		}
		s.queue.pushItem(func(n uint64) []ipc.Record { return s.packWindow(n, w, cleared) })
	}
	if n := len(s.queue.items); n != 30 {
		t.Errorf("%d windows wait", n)
	}
	for _, i := range s.queue.items {
		for _, r := range i.records {
			switch r.(type) {
			case *ipc.Window, *ipc.Release:
			default:
				t.Fatalf("%T waits for the uplink", r)
			}
		}
	}
}
