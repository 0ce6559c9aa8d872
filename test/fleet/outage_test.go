package fleet

import (
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"kerb/agent/uplink"
	spooled "kerb/test/fleet/devices"
)

// The shipped waits.
const (
	retryMin = 30 * time.Second
	retryMax = 300 * time.Second
)

// distance returns the Kolmogorov–Smirnov distance of two samples, both sorted.
func distance(a, b []time.Duration) (d float64) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if a[i] <= b[j] {
			i++
		} else {
			j++
		}
		d = max(d, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	return d
}

// after returns the times since from.
func after(from time.Time, times []time.Time) (d []time.Duration) {
	for _, at := range times {
		d = append(d, at.Sub(from))
	}
	return d
}

// sameChance is the distance that two samples of one distribution exceed once in
// 1,000 (Smirnov 1948).
func sameChance(n, m int) float64 { return 1.95 * math.Sqrt(float64(n+m)/float64(n*m)) }

// comeback watches a fleet that has lost its broker.
type comeback struct {
	f    *fleet
	lost time.Time
	// By uplink: when it had planned to make the connection that came about, and when
	// that was there. A busy machine changes the second only.
	planned, connected []time.Time
}

func newComeback(f *fleet, lost time.Time) *comeback {
	n := len(f.uplinks)
	return &comeback{f, lost, make([]time.Time, n), make([]time.Time, n)}
}

// look reads the plans, and reports whether all uplinks may send windows again.
func (c *comeback) look() bool {
	back := 0
	for i, u := range c.f.uplinks {
		if !c.connected[i].IsZero() {
			back++
			continue
		}
		switch s := u.Status(); {
		case s.Connected && s.Since.After(c.lost):
			c.connected[i] = s.Since
			if c.planned[i].IsZero() { // the wait was shorter than two looks are apart
				c.planned[i] = s.Since
			}
		case s.Retry.After(c.lost):
			c.planned[i] = s.Retry
		}
	}
	return back == len(c.f.uplinks) && c.f.online() == back
}

// With the shipped waits, as long as it takes: the figures of network.md. 11,000 uplinks
// have one spool among them; 500 with their own, at another broker, show that this does
// not change when they connect. The plans are judged, and what the broker saw is told
// beside them: from a busy machine it comes in gusts.
func TestACityComesBackAfterOutagesInRealTime(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("ten minutes, and 1 GB of memory: set KERB_LONG=1")
	}
	o := uplink.Opts{RetryMin: retryMin, RetryMax: retryMax}
	big, small := startBroker(t), startBroker(t)
	lost := time.Now()
	all, sample := startCity(t, big.url(), o), startFleet(t, small.url(), o)
	judgeComeback(t, "power-on", big, newComeback(all, lost), newComeback(sample, lost))
	for _, outage := range []time.Duration{1, 3, 10, 60} {
		outage *= time.Second
		time.Sleep(10 * time.Second) // connections that last
		lost := time.Now()
		big.kill()
		small.kill()
		time.Sleep(outage - time.Since(lost))
		small.start()
		big.start()
		judgeComeback(t, "after "+outage.String(), big, newComeback(all, lost), newComeback(sample, lost))
	}
}

// judgeComeback waits until both fleets are back and compares them with the limits, and
// with each other.
func judgeComeback(t *testing.T, name string, b *broker, all, sample *comeback) {
	t.Helper()
	back := time.Now()
	wait(t, "both fleets", func() bool {
		first, second := all.look(), sample.look()
		return first && second
	})
	slices.SortFunc(all.connected, time.Time.Compare)
	most, last := spooled.Peak(all.planned, time.Second), all.connected[city-1].Sub(back)
	few := spooled.Peak(sample.planned, time.Second) // which sorts them
	d, limit := distance(after(all.lost, all.planned), after(all.lost, sample.planned)), sameChance(city, devices)
	logins, logged := b.logins(all.lost)
	t.Logf("%s: %d connects in the worst second; last back after %s; distance of the %d %.3f, limit %.3f, their worst second %d (×%d: %d); the broker's log: %d logins, %d in one second; it has %d MB",
		name, most, last.Round(time.Second), devices, d, limit, few, scale, scale*few, logins, logged, b.memory())
	if most > maxRate || last > retryMax {
		t.Errorf("%s: %d connects in a second, last back after %s", name, most, last)
	}
	if d > limit {
		t.Errorf("%s: uplinks with their own spools connect at other times: distance %.3f, limit %.3f", name, d, limit)
	}
}

// The distance finds waits of another kind.
func TestTheDistanceTellsWaitsApart(t *testing.T) {
	var a, b, c []time.Duration
	for i := range 1000 {
		d := time.Duration(i) * retryMin / 1000
		a, b, c = append(a, d), append(b, d+retryMin/1000), append(c, d*5/4)
	}
	limit := sameChance(len(a), len(b))
	if near, far := distance(a, b), distance(a, c); near > limit || far < limit {
		t.Errorf("the same %.3f, others %.3f, limit %.3f", near, far, limit)
	}
}
