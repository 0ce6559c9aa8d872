package loop

import (
	"math"
	"time"
)

// DailyCheck is a set of the checks that Caltrans PeMS makes of each detector
// and day (Chen, Kwon, Rice, Skabardonis, Varaiya: Detecting errors and
// imputing missing data for single-loop surveillance systems, TRR 1855, 2003).
type DailyCheck uint32

// The checks, as bits of an Event's N. The check for flow without occupancy is
// left out: here both come from the same edges.
const (
	FewSamples          DailyCheck = 1 << iota // under 60 % of the day's samples
	NoOccupancy                                // more samples without occupancy than Limits.ZeroShare
	FullOccupancy                              // occupancy over 0.7 in more than 20 % of the samples
	CoverWithoutFlow                           // occupancy but no flow in more than 50 %
	RepeatedOccupancies                        // more than 50 five-minute occupancies equal to the one before, zero apart
)

// The sample of PeMS and its hours, local time.
const (
	sampleLength   = 30 * time.Second
	samplesPerHour = int(time.Hour / sampleLength)
	samplesPerFive = int(5 * time.Minute / sampleLength)
	dayFromHour    = 5
	dayToHour      = 22
	daySamples     = (dayToHour - dayFromHour) * samplesPerHour
)

// The thresholds of the checks, those of Chen et al. 2003.
const (
	minSampleShare    = 0.6  // of daySamples
	fullOccupancy     = 0.7  // a sample above it is full
	maxFullShare      = 0.2  // of the samples
	maxCoverOnlyShare = 0.5  // of the samples
	maxRepeats        = 50   // five-minute means
	defaultZeroShare  = 0.59 // of the samples, urban
)

// meanStep rounds five-minute occupancies: two means closer than about this are
// equal. It is 30 ms of five minutes, chosen by hand.
const meanStep = 0.0001

// dayCheck holds one loop's sums for the daily checks.
type dayCheck struct {
	due         time.Duration // end of the sample; 0: no checks
	sampleStart time.Duration // coverage before it belongs to earlier samples
	covered     time.Duration // on-time of the present sample
	onset       bool          // a vehicle began to cover the loop in the present sample
	spoiled     bool          // edges were lost in the present sample
	inHours     bool          // the last sample lay between dayFromHour and dayToHour
	wholeDay    bool          // the day was observed from dayFromHour on

	samples, zero, full, coverOnly int
	fiveMinutes                    [samplesPerFive]float64 // occupancies of the present five minutes
	lastMean                       float64                 // of the five minutes before, in units of meanStep
	repeats                        int
}

// addCoverage adds on-time to the present sample, without the part before its start.
func (d *dayCheck) addCoverage(from, to time.Duration) {
	if from = max(from, d.sampleStart); to > from {
		d.covered += to - from
	}
}

// closeSample closes the sample that ends at t and, after the day's last one,
// raises or clears Daily.
func (c *Counter) closeSample(in *input, t time.Duration) {
	d := &in.day
	if in.on {
		d.addCoverage(in.changedAt, t)
	}
	h := c.wall(t - sampleLength).Hour()
	inside := h >= dayFromHour && h < dayToHour
	if inside && !d.inHours {
		*d = dayCheck{due: d.due, covered: d.covered, onset: d.onset, spoiled: d.spoiled, wholeDay: d.sampleStart > c.origin}
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
	d.sampleStart, d.covered, d.onset, d.spoiled = t, 0, false, false
	d.due = t + sampleLength
}

// addSample adds the occupancy k, 0–1, of one sample to the day's sums.
func (d *dayCheck) addSample(k float64) {
	switch {
	case k == 0:
		d.zero++
	case k > fullOccupancy:
		d.full++
	}
	if k > 0 && !d.onset {
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

// failedChecks is the set of checks that the day fails. zeroShare is the share of
// samples without occupancy above which NoOccupancy fails.
func (d *dayCheck) failedChecks(zeroShare float64) (failed DailyCheck) {
	n := float64(d.samples)
	for _, c := range []struct {
		failed bool
		check  DailyCheck
	}{
		{n < minSampleShare*float64(daySamples), FewSamples},
		{float64(d.zero) > zeroShare*n, NoOccupancy},
		{float64(d.full) > maxFullShare*n, FullOccupancy},
		{float64(d.coverOnly) > maxCoverOnlyShare*n, CoverWithoutFlow},
		{d.repeats > maxRepeats, RepeatedOccupancies},
	} {
		if c.failed {
			failed |= c.check
		}
	}
	return failed
}
