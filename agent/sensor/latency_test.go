package sensor

import (
	"testing"
	"time"
)

func TestALatencyIsExactToAnEighth(t *testing.T) {
	for want := 20 * time.Microsecond; want < time.Minute; want = want*5/4 + 1 {
		var d LatencyHistogram
		d.addSample(want)
		if got := d.Quantile(0.5); got > want || float64(got) < 0.86*float64(want)-float64(latencyUnit) {
			t.Errorf("%s is called %s", want, got)
		}
	}
	var d LatencyHistogram
	for i := range 100000 {
		d.addSample(time.Duration(i%100) * time.Millisecond)
	}
	if a, b := d.Quantile(0.5), d.Quantile(0.95); a < 43*time.Millisecond || a > 51*time.Millisecond || b < 84*time.Millisecond || b > 96*time.Millisecond {
		t.Errorf("half within %s, 95 of 100 within %s", a, b)
	}
}
