package retry

import (
	"context"
	"slices"
	"testing"
	"time"
)

func TestDelayDoublesUpToItsBound(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: 1, 1: 2, 2: 4, 5: 32, 7: 100, 1 << 30: 100} {
		if got := Delay(time.Second, 100*time.Second, failures); got != want*time.Second {
			t.Errorf("after %d failures %s, want %ds", failures, got, want)
		}
	}
}

// attempts returns the times of the first attempts of a device, after the failure.
func attempts(n int) (times []time.Duration) {
	var r Rounds
	var at time.Duration
	for failures := range n {
		at += r.Next(30*time.Second, 300*time.Second, failures)
		times = append(times, at)
	}
	return times
}

func TestEachAttemptIsInItsOwnRoundAtARandomTime(t *testing.T) {
	// The fourth lasts 240 s; where the third was early, the wait is cut to 300 s.
	rounds := []struct{ from, to time.Duration }{{0, 30}, {30, 90}, {90, 210}, {210, 450}}
	least, most := slices.Repeat([]time.Duration{time.Hour}, len(rounds)), make([]time.Duration, len(rounds))
	for range 2000 {
		for i, at := range attempts(len(rounds)) {
			least[i], most[i] = min(least[i], at), max(most[i], at)
		}
	}
	for i, r := range rounds {
		from, to, room := r.from*time.Second, r.to*time.Second, (r.to-r.from)*time.Second/10
		if least[i] < from || least[i] > from+room || most[i] < to-room || most[i] > to+10*time.Millisecond {
			t.Errorf("attempt %d after %s to %s, want from %s to %s", i+1, least[i], most[i], from, to)
		}
	}
}

// 11,000 devices lose their broker at once, and it comes back at any moment. A round of
// 30 s has 367 attempts a second in the mean; the limit is that and seven standard
// deviations.
func TestNoMomentOfAnOutageGathersAFleet(t *testing.T) {
	const devices, limit = 11000, 500
	var seconds [600]int // attempts of all devices
	for range devices {
		for _, at := range attempts(6) {
			if s := int(at.Seconds()); s < len(seconds) {
				seconds[s]++
			}
		}
	}
	for s, n := range seconds {
		if n > limit {
			t.Errorf("%d attempts in second %d, want at most %d", n, s, limit)
		}
	}
}

func TestNoWaitIsLongerThanTheLongest(t *testing.T) {
	var r Rounds
	for failures := range 1000 {
		if d := r.Next(time.Second, 10*time.Second, failures); d <= 0 || d > 10*time.Second+time.Millisecond {
			t.Fatalf("%s after %d failures", d, failures)
		}
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if Sleep(ctx, time.Hour) || !Sleep(t.Context(), 0) {
		t.Error("Sleep returned the wrong result")
	}
}
