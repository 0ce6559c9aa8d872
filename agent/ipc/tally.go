package ipc

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"kerb/counting"
)

// Tally is counting.Tally of one window and one stream, in numbers only: the
// window is given by its number, the stream by its index in a list that both
// ends have.
type Tally struct {
	N         uint64        // number of the window
	Stream    uint16        // index among the streams of the sensor
	Quality   uint8         // counting.Quality
	Reason    uint8         // counting.Reason; 0 where the quality is OK
	Observed  time.Duration // at most 24 h
	Instants  uint32        // pictures of a polled camera; 0 for other streams
	Crossings [counting.Classes][counting.Directions]uint32
	Presence  [counting.Classes]time.Duration
	Peak      [counting.Classes]uint32
	Traffic   counting.Traffic // zero where the stream measures none
}

// PackTally returns t as the record of window n and the stream with the index stream.
// It leaves out the stream's name and the window's times, which the reader has.
func PackTally(n uint64, stream int, t counting.Tally) *Tally {
	return &Tally{
		N: n, Stream: uint16(stream), Quality: uint8(t.Quality), Reason: uint8(t.Reason),
		Observed: t.Observed, Instants: t.Instants, Crossings: t.Crossings, Presence: t.Presence, Peak: t.Peak, Traffic: t.Traffic,
	}
}

func (*Tally) recordKind() byte { return 10 }

func (t *Tally) walkFields(p *cursor) {
	walk64(p, &t.N)
	p.walkUint16(&t.Stream)
	p.walkUint8(&t.Quality, &t.Reason)
	walk64(p, &t.Observed)
	p.walkUint32(&t.Instants)
	for c := range t.Crossings {
		for d := range t.Crossings[c] {
			p.walkUint32(&t.Crossings[c][d])
		}
		walk64(p, &t.Presence[c])
		p.walkUint32(&t.Peak[c])
	}
	walkTraffic(p, &t.Traffic)
}

// walkTraffic encodes or decodes the traffic of a tally.
func walkTraffic(p *cursor, t *counting.Traffic) {
	walk64(p, &t.Covered, &t.CoveredOver, &t.FollowedOver)
	for c := range t.Stood {
		walk64(p, &t.Stood[c], &t.Moved[c])
	}
	walk64(p, &t.SpeedSum)
	p.walkUint32(&t.SpeedCount)
	p.walkUint32(&t.Congested)
	for _, bins := range histograms(t) {
		for i := range bins {
			p.walkUint32(&bins[i])
		}
	}
}

// histograms are the bins of all histograms of t.
func histograms(t *counting.Traffic) [4][]uint32 {
	return [4][]uint32{t.Speeds[:], t.Lengths[:], t.Headways[:], t.Gaps[:]}
}

// The bounds of a plausible tally, chosen by hand. A tally above them comes from
// a fault, or carries something else than a count.
const (
	maxCrossingRate = 50             // crossings of one class in one direction, per second
	maxPresence     = 1000           // objects in one zone at once
	maxObserved     = 24 * time.Hour // the longest window of a policy
)

func (t *Tally) checkRanges() error {
	switch {
	case t.Quality > uint8(counting.Gap):
		return fmt.Errorf("quality %d", t.Quality)
	case !counting.Reason(t.Reason).IsKnown():
		return fmt.Errorf("reason %d", t.Reason)
	case (t.Quality == uint8(counting.OK)) != (t.Reason == 0):
		return errors.New("quality and reason contradict each other")
	case t.Observed < 0 || t.Observed > maxObserved:
		return fmt.Errorf("observed for %s", t.Observed)
	case t.Instants > uint32(maxObserved/time.Second): // at most one a second
		return fmt.Errorf("observed at %d instants", t.Instants)
	}
	seen := max(t.Observed, time.Duration(t.Instants)*time.Second)
	for c := range t.Peak {
		if t.Peak[c] > maxPresence || t.Presence[c] < 0 || t.Presence[c] > seen*maxPresence {
			return fmt.Errorf("presence of class %d", c)
		}
		for _, n := range t.Crossings[c] {
			if time.Duration(n)*time.Second > maxCrossingRate*(t.Observed+time.Second) {
				return fmt.Errorf("%d crossings in %s", n, t.Observed)
			}
		}
	}
	return checkTraffic(&t.Traffic, t.Observed)
}

// checkTraffic refuses traffic that no vehicles can make in the observed time: a
// vehicle is at most in one bin of each histogram, and its speed at most MaxSpeed.
func checkTraffic(t *counting.Traffic, observed time.Duration) error {
	most := uint64(maxCrossingRate * counting.Directions * (observed + time.Second) / time.Second)
	for _, bins := range histograms(t) {
		sum := uint64(0)
		for _, n := range bins {
			sum += uint64(n)
		}
		if sum > most {
			return fmt.Errorf("%d vehicles in a histogram of %s", sum, observed)
		}
	}
	switch {
	case t.CoveredOver < 0 || t.CoveredOver > maxObserved || t.Covered < 0 || t.Covered > t.CoveredOver:
		return fmt.Errorf("covered for %s of %s", t.Covered, t.CoveredOver)
	case t.FollowedOver < 0 || t.FollowedOver > maxObserved || !isPresent(t.Stood, t.FollowedOver) || !isPresent(t.Moved, t.FollowedOver):
		return errors.New("more objects stand and move than can be")
	case uint64(t.SpeedCount) > most || uint64(t.Congested) > most:
		return fmt.Errorf("%d speeds and %d congested intervals in %s", t.SpeedCount, t.Congested, observed)
	case t.SpeedSum < 0 || t.SpeedSum > int64(t.SpeedCount)*counting.MaxSpeed*counting.SpeedUnitsKMH:
		return fmt.Errorf("%d speeds with a sum of %d", t.SpeedCount, t.SpeedSum)
	}
	return nil
}

// isPresent reports whether objects of each class can have been present for so long in
// time d.
func isPresent(present [counting.Classes]time.Duration, d time.Duration) bool {
	return slices.Min(present[:]) >= 0 && slices.Max(present[:]) <= maxPresence*d
}

// Unpack returns the tally of stream s in window w. It is an error where t is of
// another window, was observed for longer than the window, or counts a class or
// a kind of number that s does not have.
func (t *Tally) Unpack(s counting.Stream, w *Window) (counting.Tally, error) {
	out := counting.Tally{
		Stream: s.ID, Kind: s.Kind, OneWay: s.OneWay, Start: w.Start.Time(), End: w.End.Time(), Mono: w.Mono,
		Observed: t.Observed, Polled: s.Polled, Instants: t.Instants, Quality: counting.Quality(t.Quality), Reason: counting.Reason(t.Reason),
		Crossings: t.Crossings, Presence: t.Presence, Peak: t.Peak,
		Measures: s.Measures, LengthBins: s.LengthBins.Len(), Traffic: t.Traffic,
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
	case s.Measures == 0 && t.Traffic != counting.Traffic{}:
		return out, fmt.Errorf("stream %s: measures no traffic", s.ID)
	case max(t.Traffic.CoveredOver, t.Traffic.FollowedOver) > out.End.Sub(out.Start):
		return out, fmt.Errorf("stream %s: traffic over %s of %s", s.ID, max(t.Traffic.CoveredOver, t.Traffic.FollowedOver), out.End.Sub(out.Start))
	}
	for c := range counting.Classes {
		crossed := t.Crossings[c] != [counting.Directions]uint32{}
		for d, n := range t.Crossings[c] {
			if n > 0 && !s.OneWay.Sees(counting.Direction(d)) {
				return out, fmt.Errorf("stream %s: counts in direction %s, which it does not see", s.ID, counting.Direction(d))
			}
		}
		stood := t.Presence[c] != 0 || t.Peak[c] != 0 || t.Traffic.Stood[c] != 0 || t.Traffic.Moved[c] != 0
		if (crossed || stood) && !out.Counted[c] || crossed && s.Kind == counting.ZoneStream || stood && s.Kind == counting.LineStream {
			return out, fmt.Errorf("stream %s: counts what is not its own, class %s", s.ID, counting.Class(c))
		}
	}
	return out, nil
}
