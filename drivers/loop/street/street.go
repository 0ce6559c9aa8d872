// Package street simulates vehicles over simulated loops: a source of edges for a
// demonstration and for tests without hardware, with its ground truth. Vehicles
// come at random (exponential pauses) and never touch; the same seed gives the
// same street. It refuses more than 16 loops and more than 3,000 vehicles an hour
// and lane.
package street

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"kerb/drivers/loop"
)

// The geometry of the loops.
const (
	Spacing    = 4.0 // m between the leading edges of two loops
	LoopLength = 2.0 // m along the road
)

// The bounds of Opts.
const (
	maxLoops       = 16
	defaultPerHour = 900  // vehicles an hour and lane
	maxPerHour     = 3000 // vehicles an hour and lane
)

// The traffic, chosen by hand for an ordinary city street.
const (
	minSpeed, maxSpeed = 3, 25                  // m/s
	meanSpeed, speedSD = 12, 2.5                // m/s, normal distribution
	minPause           = 500 * time.Millisecond // between two vehicles of a lane
	rngStream          = 17                     // of the PCG generator
)

// Opts describe a street.
type Opts struct {
	Seed     uint64
	Pairs    int                   // lanes with two loops
	Singles  int                   // lanes with one loop; without any lane: one of each
	PerHour  float64               // vehicles an hour and lane at most; 0: 900
	Lasts    time.Duration         // length of the street in time; 0: endless
	Realtime bool                  // edges come when they happen, on the clock of loop.Now; else at once, from 0 on
	Cut      map[int]time.Duration // when a line is cut, since the start, by its number
}

// Vehicle is one vehicle of the ground truth.
type Vehicle struct {
	Lane   int           // pairs first, then singles
	At     time.Duration // when its front reached the first loop
	Speed  float64       // m/s
	Length float64       // m
	Done   time.Duration // when it had left the last loop
}

// Street is a source of edges.
type Street struct {
	o        Opts
	rng      *rand.Rand
	start    time.Duration
	levels   []loop.Edge     // as found at opening, not yet delivered
	edges    []loop.Edge     // made and not yet delivered, in order of time
	nextAt   []time.Duration // per lane: when the next vehicle comes
	drivenTo time.Duration   // all edges up to here are made
	handedTo time.Duration   // all edges up to here are delivered
	driven   []Vehicle
}

// New makes a street that begins now. Its error names the bound that o exceeds.
func New(o Opts) (*Street, error) {
	if o.Pairs == 0 && o.Singles == 0 {
		o.Pairs, o.Singles = 1, 1
	}
	o.PerHour = cmp.Or(o.PerHour, defaultPerHour)
	if o.Pairs < 0 || o.Singles < 0 || 2*o.Pairs+o.Singles > maxLoops {
		return nil, fmt.Errorf("%d pairs and %d single loops: must be 1–16 loops", o.Pairs, o.Singles)
	}
	if !(o.PerHour > 0 && o.PerHour <= maxPerHour) {
		return nil, fmt.Errorf("%g vehicles an hour: must be above 0 and at most 3000", o.PerHour)
	}
	s := &Street{o: o, rng: rand.New(rand.NewPCG(o.Seed, rngStream)), nextAt: make([]time.Duration, o.Pairs+o.Singles)}
	if o.Realtime {
		s.start = loop.MonotonicNow()
	}
	s.drivenTo, s.handedTo = s.start, s.start
	for i := range s.nextAt {
		s.nextAt[i] = s.start + s.randomPause()
	}
	for i := range s.LineNames() {
		s.levels = append(s.levels, loop.Edge{Line: i, At: s.start, Level: true})
	}
	return s, nil
}

// LineNames are the names of the lines: L1A and L1B for the loops of the first
// lane, and so on.
func (s *Street) LineNames() (names []string) {
	for lane := range s.o.Pairs {
		names = append(names, fmt.Sprintf("L%dA", lane+1), fmt.Sprintf("L%dB", lane+1))
	}
	for lane := range s.o.Singles {
		names = append(names, fmt.Sprintf("L%dA", s.o.Pairs+lane+1))
	}
	return names
}

// SoftwareTimed is false: the simulated times are exact.
func (s *Street) SoftwareTimed() bool { return false }

// Close has no effect.
func (s *Street) Close() error { return nil }

// DrivenUntil are the vehicles that had left their last loop at a time of the edges'
// clock, in the order in which they came.
func (s *Street) DrivenUntil(at time.Duration) []Vehicle {
	return slices.DeleteFunc(slices.Clone(s.driven), func(v Vehicle) bool { return v.Done > at })
}

// ReadEdges delivers the edges that have happened: in real time after at most
// loop.MaxWait, else those of the next second. io.EOF: Opts.Lasts has passed.
func (s *Street) ReadEdges(ctx context.Context, dst []loop.Edge) (int, time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, s.handedTo, err
	}
	if len(s.levels) > 0 {
		n := copy(dst, s.levels)
		s.levels = s.levels[n:]
		return n, s.handedTo, nil
	}
	if s.o.Lasts > 0 && s.handedTo >= s.start+s.o.Lasts {
		return 0, s.handedTo, io.EOF
	}
	now := s.handedTo + time.Second
	if s.o.Realtime {
		if now = loop.MonotonicNow(); !s.hasEdge(now) {
			if err := s.waitForEdge(ctx, now); err != nil {
				return 0, s.handedTo, err
			}
			now = loop.MonotonicNow()
		}
	}
	if s.o.Lasts > 0 {
		now = min(now, s.start+s.o.Lasts)
	}
	s.driveUntil(now)
	n := 0
	for n < len(dst) && n < len(s.edges) && s.edges[n].At <= now {
		dst[n] = s.edges[n]
		n++
	}
	if n == len(dst) && n > 0 {
		now = dst[n-1].At
	}
	s.edges = s.edges[n:]
	s.handedTo = max(s.handedTo, now)
	return n, s.handedTo, nil
}

// hasEdge makes the edges up to now and reports whether one waits.
func (s *Street) hasEdge(now time.Duration) bool {
	s.driveUntil(now)
	return len(s.edges) > 0 && s.edges[0].At <= now
}

// waitForEdge waits until the next edge, but no longer than loop.MaxWait.
func (s *Street) waitForEdge(ctx context.Context, now time.Duration) error {
	s.driveUntil(now + loop.MaxWait)
	d := loop.MaxWait
	if len(s.edges) > 0 {
		d = min(d, s.edges[0].At-now)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// driveUntil makes every vehicle that comes until t, with its edges.
func (s *Street) driveUntil(t time.Duration) {
	if t <= s.drivenTo {
		return
	}
	s.drivenTo = t
	for lane := range s.nextAt {
		for s.nextAt[lane] <= t {
			v := s.driveVehicle(lane)
			s.driven = append(s.driven, v)
			s.nextAt[lane] = v.Done + minPause + s.randomPause()
		}
	}
	slices.SortStableFunc(s.edges, func(a, b loop.Edge) int { return cmp.Compare(a.At, b.At) })
}

// randomPause draws an exponential pause with a mean of one hour over Opts.PerHour.
func (s *Street) randomPause() time.Duration {
	return time.Duration(s.rng.ExpFloat64() * float64(time.Hour) / s.o.PerHour)
}

// lengthClasses are vehicle lengths in m and their shares, chosen by hand for an
// ordinary city street.
var lengthClasses = [...]struct{ share, from, to float64 }{
	{0.04, 1.8, 2.4}, {0.76, 3.6, 4.9}, {0.11, 4.9, 6.2}, {0.06, 7, 11}, {0.03, 12, 17},
}

// driveVehicle makes the lane's next vehicle and its edges.
func (s *Street) driveVehicle(lane int) Vehicle {
	v := Vehicle{Lane: lane, At: s.nextAt[lane], Speed: min(maxSpeed, max(minSpeed, meanSpeed+speedSD*s.rng.NormFloat64()))}
	dice := s.rng.Float64()
	for _, k := range lengthClasses {
		v.Length = k.from + (k.to-k.from)*s.rng.Float64()
		if dice -= k.share; dice < 0 {
			break
		}
	}
	first, loops := 2*lane, 2
	if lane >= s.o.Pairs {
		first, loops = s.o.Pairs+lane, 1
	}
	for i := range loops {
		on := v.At + toDuration(float64(i)*Spacing/v.Speed)
		v.Done = on + toDuration((v.Length+LoopLength)/v.Speed)
		s.addEdge(first+i, true, on)
		s.addEdge(first+i, false, v.Done)
	}
	return v
}

// addEdge makes an edge, unless its line has been cut. A cut ends a presence.
func (s *Street) addEdge(line int, on bool, at time.Duration) {
	if cut, ok := s.o.Cut[line]; ok && at >= s.start+cut {
		if on {
			return
		}
		at = s.start + cut // an open contact is a free loop
		if n := len(s.edges); n == 0 || s.edges[n-1].Line != line || !s.edges[n-1].On {
			return
		}
	}
	s.edges = append(s.edges, loop.Edge{Line: line, On: on, At: at})
}

// toDuration converts seconds.
func toDuration(v float64) time.Duration { return time.Duration(v * 1e9) }
