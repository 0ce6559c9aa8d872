package policy

import (
	"testing"
	"time"

	"kerb/counting"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// window is a full window of a stream that counts people, bicycles and vehicles.
func window(p *Policy, k counting.Kind) counting.Tally {
	t := counting.Tally{
		Stream: "north-kerb", Kind: k, Start: noon, End: noon.Add(p.Window()),
		Mono: time.Hour, Observed: p.Window(),
	}
	for c := counting.Person; c <= counting.Vehicle; c++ {
		if p.Allows(c) {
			t.Counted[c] = true
		}
	}
	return t
}

func TestAReleaseComesBackAsItWas(t *testing.T) {
	p := Demo()
	r, err := p.Clear(window(p, counting.LineStream))
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Restore(b)
	if err != nil || got != r {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, r)
	}
	if _, err := (Release{}).MarshalBinary(); err == nil {
		t.Error("the zero Release was marshalled")
	}
}
