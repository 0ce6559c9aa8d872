package ipc

import (
	"errors"
	"fmt"
	"time"

	"kerb/counting"
)

// Tally is one window of one stream, in numbers only: which stream and which
// window is a place in a list that both ends have.
type Tally struct {
	N         uint64
	Stream    uint16 // its place among the streams of site.toml, or of one sensor
	Quality   uint8
	Reason    uint8
	Observed  time.Duration
	Instants  uint32
	Crossings [counting.Classes][counting.Directions]uint32
	Presence  [counting.Classes]time.Duration
	Peak      [counting.Classes]uint32
}

// Pack is a window's tally without what its reader knows.
func Pack(n uint64, stream int, t counting.Tally) *Tally {
	return &Tally{
		N: n, Stream: uint16(stream), Quality: uint8(t.Quality), Reason: uint8(t.Reason),
		Observed: t.Observed, Instants: t.Instants, Crossings: t.Crossings, Presence: t.Presence, Peak: t.Peak,
	}
}

func (*Tally) recordKind() byte { return 10 }

func (t *Tally) layout(p *cursor) {
	lay64(p, &t.N)
	p.u16(&t.Stream)
	p.u8(&t.Quality, &t.Reason)
	lay64(p, &t.Observed)
	p.u32(&t.Instants)
	for c := range t.Crossings {
		for d := range t.Crossings[c] {
			p.u32(&t.Crossings[c][d])
		}
		lay64(p, &t.Presence[c])
		p.u32(&t.Peak[c])
	}
}

// Bounds of what a street can bring. More is no count but a fault, or a way to
// smuggle something out.
const (
	maxRate    = 50   // crossings of one class in one direction, a second
	maxPresent = 1000 // objects in one zone at once
)

func (t *Tally) validate() error {
	switch {
	case t.Quality > uint8(counting.Gap):
		return fmt.Errorf("quality %d", t.Quality)
	case !counting.Reason(t.Reason).IsKnown():
		return fmt.Errorf("reason %d", t.Reason)
	case (t.Quality == uint8(counting.OK)) != (t.Reason == 0):
		return errors.New("quality and reason contradict each other")
	case t.Observed < 0 || t.Observed > 24*time.Hour:
		return fmt.Errorf("observed for %s", t.Observed)
	case t.Instants > 24*60*60:
		return fmt.Errorf("observed at %d instants", t.Instants)
	}
	seen := max(t.Observed, time.Duration(t.Instants)*time.Second)
	for c := range t.Peak {
		if t.Peak[c] > maxPresent || t.Presence[c] < 0 || t.Presence[c] > seen*maxPresent {
			return fmt.Errorf("presence of class %d", c)
		}
		for _, n := range t.Crossings[c] {
			if time.Duration(n)*time.Second > maxRate*(t.Observed+time.Second) {
				return fmt.Errorf("%d crossings in %s", n, t.Observed)
			}
		}
	}
	return nil
}

// Unpack is the tally of stream s in window w, or an error if it says more
// than that stream in that window can.
func (t *Tally) Unpack(s counting.Stream, w *Window) (counting.Tally, error) {
	out := counting.Tally{
		Stream: s.ID, Kind: s.Kind, Start: w.Start.Time(), End: w.End.Time(), Mono: w.Mono,
		Observed: t.Observed, Polled: s.Polled, Instants: t.Instants, Quality: counting.Quality(t.Quality), Reason: counting.Reason(t.Reason),
		Crossings: t.Crossings, Presence: t.Presence, Peak: t.Peak,
	}
	for _, c := range s.Classes {
		out.Counted[c] = true
	}
	switch {
	case t.N != w.N:
		return out, fmt.Errorf("stream %s: window %d where %d was asked for", s.ID, t.N, w.N)
	case out.Observed > out.End.Sub(out.Start):
		return out, fmt.Errorf("stream %s: observed %s of %s", s.ID, out.Observed, out.End.Sub(out.Start))
	case out.Instants > 0 && !s.Polled:
		return out, fmt.Errorf("stream %s: is not seen at instants", s.ID)
	}
	for c := range counting.Classes {
		crossed := t.Crossings[c] != [counting.Directions]uint32{}
		stood := t.Presence[c] != 0 || t.Peak[c] != 0
		if (crossed || stood) && !out.Counted[c] || crossed && s.Kind == counting.ZoneStream || stood && s.Kind == counting.LineStream {
			return out, fmt.Errorf("stream %s: counts what is not its own, class %s", s.ID, counting.Class(c))
		}
	}
	return out, nil
}
