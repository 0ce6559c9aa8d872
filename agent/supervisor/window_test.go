package supervisor

import (
	"testing"
	"time"

	"kerb/agent/ipc"
	"kerb/counting"
)

func TestATallyThatNobodyAskedForIsRefused(t *testing.T) {
	stream := counting.Stream{ID: "kerb", Kind: counting.LineStream, Classes: []counting.Class{counting.Person}}
	w := &ipc.Window{N: 7, Start: 0, End: ipc.At(time.Unix(900, 0)), Tallies: 2}
	p := &slot{streams: []counting.Stream{stream}, firstStream: 1}
	answer := func() *ipc.Tally {
		return ipc.Pack(7, 0, counting.Tally{Observed: time.Minute, Quality: counting.Partial, Reason: counting.ReasonStarting})
	}
	asked := func() *collection {
		return &collection{n: 7, window: w, tallies: make([]*ipc.Tally, 2), open: map[*slot]bool{p: true}, done: make(chan struct{})}
	}
	if err := asked().addTally(p, answer()); err != nil {
		t.Error(err)
	}
	for name, try := range map[string]func(g *collection) error{
		"no window ends": func(*collection) error { return (*collection)(nil).addTally(p, answer()) },
		"twice": func(g *collection) error {
			_ = g.addTally(p, answer())
			return g.addTally(p, answer())
		},
		"another's stream": func(g *collection) error { a := answer(); a.Stream = 1; return g.addTally(p, a) },
		"another window":   func(g *collection) error { a := answer(); a.N = 6; return g.addTally(p, a) },
		"another's classes": func(g *collection) error {
			a := answer()
			a.Crossings[counting.Heavy][0] = 1
			return g.addTally(p, a)
		},
		"a process that was not asked": func(g *collection) error {
			return g.addTally(&slot{streams: p.streams}, answer())
		},
	} {
		if err := try(asked()); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestWhatIsNotStoredComesAgain(t *testing.T) {
	o := newQueue()
	for range 3 {
		o.push(func(n uint64) []ipc.Message { return []ipc.Message{&ipc.Step{N: n}} })
	}
	o.dropStored(1)
	for _, after := range []uint64{0, 1} {
		if i, ok := o.waitAfter(t.Context(), after); !ok || i.n != 2 {
			t.Errorf("after %d comes %d", after, i.n)
		}
	}
	o.dropStored(3)
	if !o.waitEmpty(t.Context()) {
		t.Error("not empty")
	}
}
