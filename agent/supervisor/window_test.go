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
	p := &Post{Streams: []counting.Stream{stream}, First: 1}
	answer := func() *ipc.Tally {
		return ipc.Pack(7, 0, counting.Tally{Observed: time.Minute, Quality: counting.Partial, Reason: "starting"})
	}
	asked := func() *Gathering {
		return &Gathering{N: 7, Window: w, Got: make([]*ipc.Tally, 2), Open: map[*Post]bool{p: true}, Done: make(chan struct{})}
	}
	if err := asked().Take(p, answer()); err != nil {
		t.Error(err)
	}
	for name, try := range map[string]func(g *Gathering) error{
		"no window ends": func(*Gathering) error { return (*Gathering)(nil).Take(p, answer()) },
		"twice": func(g *Gathering) error {
			_ = g.Take(p, answer())
			return g.Take(p, answer())
		},
		"another's stream": func(g *Gathering) error { a := answer(); a.Stream = 1; return g.Take(p, a) },
		"another window":   func(g *Gathering) error { a := answer(); a.N = 6; return g.Take(p, a) },
		"another's classes": func(g *Gathering) error {
			a := answer()
			a.Crossings[counting.Heavy][0] = 1
			return g.Take(p, a)
		},
		"a process that was not asked": func(g *Gathering) error {
			return g.Take(&Post{Streams: p.Streams}, answer())
		},
	} {
		if err := try(asked()); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestWhatIsNotStoredComesAgain(t *testing.T) {
	o := NewOutbox()
	for range 3 {
		o.Put(func(n uint64) []ipc.Message { return []ipc.Message{&ipc.Step{N: n}} })
	}
	o.Stored(1)
	for _, after := range []uint64{0, 1} {
		if i, ok := o.After(t.Context(), after); !ok || i.N != 2 {
			t.Errorf("after %d comes %d", after, i.N)
		}
	}
	o.Stored(3)
	if !o.Empty(t.Context()) {
		t.Error("not empty")
	}
}
