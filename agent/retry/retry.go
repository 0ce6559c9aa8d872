// Package retry computes the delay before the next attempt after failures, and
// sleeps for it: exponential back-off with a bound, alone or spread over many devices.
//
// It refuses policy: the caller decides which failures count, when the delay
// starts from its least again, and how a failure is logged.
package retry

import (
	"context"
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
