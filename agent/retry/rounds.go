package retry

import (
	"math/rand/v2"
	"time"
)

// Rounds plans the attempts of one device of many that fail at the same moment, so that
// the attempts of all of them are spread evenly at every moment. The time after the
// failure is divided into rounds; the first lasts least, each further one double, at
// most longest. A device makes one attempt in each round, at a random time of it.
//
// With independent waits ("full jitter") the second attempts of the devices that failed
// early come while others make their first: with 11,000 devices and a broker that is
// away for 10 s, 480 connections in the worst second, and 430 in rounds of 30, 60, 120 s.
//
// The zero value is ready. It is for one goroutine.
type Rounds struct {
	rest time.Duration // of the round of the attempt that was planned last
}

// Next returns the wait before the next attempt, after so many failures: from 1 ms, at
// most longest. With failures 0 the first round begins now.
func (r *Rounds) Next(least, longest time.Duration, failures int) time.Duration {
	if failures == 0 {
		r.rest = 0
	}
	round := Delay(least, longest, failures)
	at := rand.N(round)
	wait := r.rest + at
	r.rest = round - at
	return min(wait, longest) + time.Millisecond
}
