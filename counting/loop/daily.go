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
	dayFromHour  = 5 // hours, local time
	dayToHour    = 22
	daySamples   = (dayToHour - dayFromHour) * 120
	meanStep     = 0.0001 // occupancies closer than about this are the same: 30 ms of five minutes
)

// dayCheck is what one loop's daily check needs.
type dayCheck struct {
	due         time.Duration // end of the sample, 0: no checks
	sampleStart time.Duration // coverage up to here is in on
	covered     time.Duration
	onsets      uint32
	spoiled     bool // edges were lost
	inHours     bool // the last sample was between dayFromHour and dayToHour
	wholeDay    bool // and so was the first of this day

	samples, zero, full, coverOnly int
	fiveMinutes                    [10]float64 // occupancies of the present five minutes
	lastMean                       float64
	repeats                        int
}

// addCoverage notes coverage, of which a part may have been noted.
func (d *dayCheck) addCoverage(from, to time.Duration) {
	if from = max(from, d.sampleStart); to > from {
		d.covered += to - from
	}
}

// closeSample closes a sample at t and, at the end of the day, judges the day.
func (c *Counter) closeSample(in *input, t time.Duration) {
	d := &in.day
	if in.on {
		d.addCoverage(in.changedAt, t)
	}
	h := c.wall(t - sampleLength).Hour()
	inside := h >= dayFromHour && h < dayToHour
	if inside && !d.inHours {
		*d = dayCheck{due: d.due, covered: d.covered, onsets: d.onsets, spoiled: d.spoiled, wholeDay: d.sampleStart > c.origin}
	}
	if inside && !d.spoiled {
		d.addSample(float64(d.covered) / float64(sampleLength))
	}
	if !inside && d.inHours && d.wholeDay {
		if failed := d.failedChecks(c.limits.ZeroShare); failed != 0 {
			c.raiseFault(in, Daily, t, uint32(failed))
		} else {
			c.clearFault(in, Daily, t)
		}
	}
	d.inHours = inside
	d.sampleStart, d.covered, d.onsets, d.spoiled = t, 0, 0, false
	d.due = t + sampleLength
}

func (d *dayCheck) addSample(k float64) {
	switch {
	case k == 0:
		d.zero++
	case k > 0.7:
		d.full++
	}
	if k > 0 && d.onsets == 0 {
		d.coverOnly++
	}
	i := d.samples % len(d.fiveMinutes)
	d.fiveMinutes[i] = k
	d.samples++
	if i < len(d.fiveMinutes)-1 {
		return
	}
	mean := 0.0
	for _, v := range d.fiveMinutes {
		mean += v / float64(len(d.fiveMinutes))
	}
	mean = math.Round(mean / meanStep)
	if mean > 0 && mean == d.lastMean {
		d.repeats++
	}
	d.lastMean = mean
}

func (d *dayCheck) failedChecks(zeroShare float64) (failed DailyCheck) {
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
