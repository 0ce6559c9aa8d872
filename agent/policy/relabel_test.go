package policy_test

import (
	"testing"
	"time"

	"kerb/agent/store/storetest"
)

func TestALabelIsMovedToTheWindowInWhichTheCountingEnded(t *testing.T) {
	r := storetest.MakeWindow("kerb", 0) // of five seconds
	at := time.Date(2031, 2, 3, 4, 5, 0, 0, time.UTC)
	for _, c := range []struct{ end, start time.Duration }{
		{0, -5 * time.Second}, {time.Millisecond, 0}, {4999 * time.Millisecond, 0}, {5 * time.Second, 0}, {5001 * time.Millisecond, 5 * time.Second},
	} {
		got, err := r.Relabel(at.Add(c.end))
		if err != nil || !got.StartTime().Equal(at.Add(c.start)) || got.EndTime().Sub(got.StartTime()) != 5*time.Second {
			t.Errorf("end %s: %s–%s, %v", c.end, got.StartTime(), got.EndTime(), err)
		}
		if back, err := got.Relabel(r.EndTime()); err != nil || back != r {
			t.Errorf("more than the label changed: %+v, %v", got, err)
		}
	}
	for _, end := range []time.Time{time.Unix(0, 0), time.Unix(-1e9, 0), time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, err := r.Relabel(end); err == nil {
			t.Errorf("a label for %s", end)
		}
	}
}
