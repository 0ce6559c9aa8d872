// Package retry computes the delay before the next attempt after failures, and
// sleeps for it: exponential back-off with a bound, with or without jitter.
//
// It refuses policy: the caller decides which failures count, when the delay
// starts from its least again, and how a failure is logged.
package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// Delay returns least, doubled once for each failure, and at most longest.
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

// JitteredDelay returns a random time, uniform from 1 ms to 1 ms above Delay ("full
// jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
// It spreads the attempts of many devices that failed at the same
// moment.
func JitteredDelay(least, longest time.Duration, failures int) time.Duration {
	return rand.N(Delay(least, longest, failures)) + time.Millisecond
}

// Sleep waits for d and returns true, or returns false as soon as ctx ends.
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
