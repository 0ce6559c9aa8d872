package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"kerb/counting"
	count "kerb/counting/loop"
	"kerb/drivers/loop"
)

// contactMove is one flip of a contact.
type contactMove struct {
	at     time.Duration // since the scenario's start
	line   int
	closed bool
	first  bool // not a bounce
	n      int  // vehicle of the lane
}

// appendBounces appends a change with up to four bounces of 200 µs to 600 µs
// each to m.
func appendBounces(rng *rand.Rand, m []contactMove, c contactMove) []contactMove {
	c.first = true
	m = append(m, c)
	c.first = false
	at := c.at
	for range rng.IntN(3) {
		at += time.Duration(200+rng.IntN(400)) * time.Microsecond
		m = append(m, contactMove{at, c.line, !c.closed, false, c.n})
		at += time.Duration(200+rng.IntN(400)) * time.Microsecond
		m = append(m, contactMove{at, c.line, c.closed, false, c.n})
	}
	return m
}

// drivenVehicle is a passage over the pair as it was simulated.
type drivenVehicle struct {
	on, off [2]time.Duration // when the contacts were moved
	length  float64
	unsure  bool
}

// makeTraffic plans n passages, 50 a second: 4 over the pair, 23 over each
// single loop.
func makeTraffic(n int) (moves []contactMove, pair []drivenVehicle, left, right int) {
	rng := rand.New(rand.NewPCG(6, uint64(n)))
	for i := range n * 4 / 50 {
		v := 30 + 10*rng.Float64()      // m/s: no vehicle catches up with the one ahead
		length := 1.5 + 2*rng.Float64() // m
		pair = append(pair, drivenVehicle{length: length})
		for slot := range 2 {
			on := toDuration(0.1+0.25*float64(i)) + toDuration(float64(slot)*spacing/v)
			moves = appendBounces(rng, moves, contactMove{at: on, line: slot, closed: true, n: i})
			moves = appendBounces(rng, moves, contactMove{at: on + toDuration((length+loopLength)/v), line: slot, n: i})
		}
	}
	for _, line := range []int{2, 3} {
		k := (n - len(pair) + line - 2) / 2
		for i := range k {
			on := toDuration(0.1 + float64(i)/23 + 0.003*rng.Float64())
			moves = appendBounces(rng, moves, contactMove{at: on, line: line, closed: true, n: i})
			moves = appendBounces(rng, moves, contactMove{at: on + 21*time.Millisecond, line: line, n: i})
		}
		left, right = right, k
	}
	slices.SortStableFunc(moves, func(a, b contactMove) int { return int(a.at - b.at) })
	return moves, pair, left, right
}

// toDuration converts seconds.
func toDuration(s float64) time.Duration { return time.Duration(s * 1e9) }

// runTraffic moves the contacts and counts the passages. With stall the reader
// pauses for that long in the middle.
func runTraffic(s *simChip, n int, opener func() (loop.Reader, error), stall time.Duration) (any, error) {
	port, err := opener()
	if err != nil {
		return nil, err
	}
	defer port.Close()
	counter, err := count.New(port, loopLayout())
	if err != nil {
		return nil, err
	}
	moves, pair, left, right := makeTraffic(n)
	r := result{
		Driven:  map[string]int{"pair": len(pair), "left": left, "right": right},
		Counted: map[string]int{}, Directions: map[string]int{}, Quality: map[string]string{},
	}
	done := make(chan error, 1)
	var late []float64
	start := s.now() + 100*time.Millisecond
	go func() { done <- s.playMoves(moves, start, pair, &late) }()
	end := never
	stallAt := start + moves[len(moves)/2].at
	counter.SetWindowEnd(start)
	k := trafficCount{start: start}
	for {
		st, err := counter.CountBatch(context.Background())
		if err != nil {
			return nil, err
		}
		if k.add(&r, &st); len(st.Windows) > 0 {
			counter.SetWindowEnd(st.Windows[0].End + trafficWindow)
		}
		if stall > 0 && st.At > stallAt {
			time.Sleep(stall)
			stall = 0
		}
		select {
		case err := <-done:
			if err != nil {
				return nil, err
			}
			end = s.now() + 500*time.Millisecond
		default:
		}
		if st.At > end {
			break
		}
	}
	for _, w := range counter.CloseWindows() {
		r.addWindow(&w)
	}
	r.Late, r.PeakRSS = quantilesOf(late), peakRSS()
	r.compareSpeeds(k.seen, pair)
	r.compareTraffic(pair)
	return r, nil
}

// trafficCount is the count so far of a run of runTraffic.
type trafficCount struct {
	start        time.Duration // of the traffic
	seen         []counting.Crossing
	pairs, first int // passages of the pair, and those before the open window
}

// add adds a step's passages and events, and to r its windows.
func (k *trafficCount) add(r *result, st *count.BatchResult) {
	k.seen = append(k.seen, st.Passages...)
	for _, p := range st.Passages {
		if p.Stream == "pair" {
			k.pairs++
		}
	}
	for _, w := range st.Windows {
		r.addWindow(&w)
		if w.Stream == "pair" && w.End > k.start {
			r.Traffic = append(r.Traffic, windowTraffic{Vehicles: k.pairs - k.first, first: k.first, window: w})
		}
	}
	if len(st.Windows) > 0 {
		k.first = k.pairs
	}
	for _, e := range st.Events {
		r.Events = append(r.Events, fmt.Sprint(e.Line, " ", e.Fault, " ", e.On))
	}
}

// addWindow adds the losses of a window, and keeps the worst quality of its stream.
func (r *result) addWindow(w *count.Window) {
	r.Missed, r.Bounce, r.Short = r.Missed+w.Missed, r.Bounce+w.Bounce, r.Short+w.Short
	if q := r.Quality[w.Stream]; q == "" || q == counting.OK.String() {
		r.Quality[w.Stream] = w.Quality.String()
	}
}
