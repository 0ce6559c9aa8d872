package loop

import (
	"math"
	"time"
)

// DailyCheck is one of the checks that Caltrans PeMS makes of each detector
// and day (Chen, Kwon, Rice, Skabardonis, Varaiya: Detecting errors and
// imputing missing data for single-loop surveillance systems, TRR 1855, 2003).
type DailyCheck uint32

// The checks, as bits of an Event's N. The one for flow without occupancy is
// left out: here both come from the same edges.
const (
	FewSamples          DailyCheck = 1 << iota // under 60 % of the day's samples
	NoOccupancy                                // more samples without occupancy than Limits.ZeroShare
	FullOccupancy                              // occupancy over 0.7 in more than 20 % of the samples
	CoverWithoutFlow                           // occupancy but no flow in more than 50 %
	RepeatedOccupancies                        // more than 50 five-minute occupancies equal to the one before, zero apart
)

const (
	sampleLength = 30 * time.Second
	dayFrom      = 5 // hours, local time
	dayTo        = 22
	daySamples   = (dayTo - dayFrom) * 120
	sameStep     = 0.0001 // occupancies closer than about this are the same: 30 ms of five minutes
)

// day is what one loop's daily check needs.
type day struct {
	due     time.Duration // end of the sample, 0: no checks
	from    time.Duration // coverage up to here is in on
	on      time.Duration
	onsets  uint32
	spoiled bool // edges were lost
	inside  bool // the last sample was between dayFrom and dayTo
	whole   bool // and so was the first of this day

	samples, zero, full, coverOnly int
	five                           [10]float64 // occupancies of the present five minutes
	last                           float64
	repeats                        int
}

// cover notes coverage, of which a part may have been noted.
func (d *day) cover(from, to time.Duration) {
	if from = max(from, d.from); to > from {
		d.on += to - from
	}
}

// sample closes a sample at t and, at the end of the day, judges the day.
func (c *Counter) sample(in *input, t time.Duration) {
	d := &in.day
	if in.on {
		d.cover(in.since, t)
	}
	h := c.wall(t - sampleLength).Hour()
	inside := h >= dayFrom && h < dayTo
	if inside && !d.inside {
		*d = day{due: d.due, on: d.on, onsets: d.onsets, spoiled: d.spoiled, whole: d.from > c.origin}
	}
	if inside && !d.spoiled {
		d.add(float64(d.on) / float64(sampleLength))
	}
	if !inside && d.inside && d.whole {
		if failed := d.judge(c.limits.ZeroShare); failed != 0 {
			c.fault(in, Daily, t, uint32(failed))
		} else {
			c.clear(in, Daily, t)
		}
	}
	d.inside = inside
	d.from, d.on, d.onsets, d.spoiled = t, 0, 0, false
	d.due = t + sampleLength
}

func (d *day) add(k float64) {
	switch {
	case k == 0:
		d.zero++
	case k > 0.7:
		d.full++
	}
	if k > 0 && d.onsets == 0 {
		d.coverOnly++
	}
	i := d.samples % len(d.five)
	d.five[i] = k
	d.samples++
	if i < len(d.five)-1 {
		return
	}
	mean := 0.0
	for _, v := range d.five {
		mean += v / float64(len(d.five))
	}
	mean = math.Round(mean / sameStep)
	if mean > 0 && mean == d.last {
		d.repeats++
	}
	d.last = mean
}

func (d *day) judge(zeroShare float64) (failed DailyCheck) {
	n := float64(d.samples)
	for _, c := range []struct {
		failed bool
		check  DailyCheck
	}{
		{n < 0.6*daySamples, FewSamples},
		{float64(d.zero) > zeroShare*n, NoOccupancy},
		{float64(d.full) > 0.2*n, FullOccupancy},
		{float64(d.coverOnly) > 0.5*n, CoverWithoutFlow},
		{d.repeats > 50, RepeatedOccupancies},
	} {
		if c.failed {
			failed |= c.check
		}
	}
	return failed
}
