// Package retry computes the delay before the next attempt after failures, and
// sleeps for it: exponential back-off with a bound, with or without jitter.
//
// It decides nothing else: which failures count, when the delay starts from its
// least again and what is logged belong to the caller.
package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// Delay doubles least once for each failure, up to longest.
func Delay(least, longest time.Duration, failures int) time.Duration {
	d := least
	for range failures {
		if d >= longest {
			break
		}
		d *= 2
	}
	return min(d, longest)
}

// Jittered returns a uniform random time of at least 1 ms up to Delay ("full
// jitter"). It spreads the attempts of many devices that failed at the same
// moment.
func Jittered(least, longest time.Duration, failures int) time.Duration {
	return rand.N(Delay(least, longest, failures)) + time.Millisecond
}

// Sleep waits for d. It returns false where ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
