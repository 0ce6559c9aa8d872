package main

import (
	"math/rand/v2"
	"slices"
	"time"
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
