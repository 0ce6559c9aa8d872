package sensor

import (
	"testing"
	"time"
)

func TestDelaysAreToldWithinAnEighth(t *testing.T) {
	for want := 20 * time.Microsecond; want < time.Minute; want = want*5/4 + 1 {
		var d Delays
		d.Add(want)
		if got := d.At(0.5); got > want || float64(got) < 0.86*float64(want)-float64(Unit) {
			t.Errorf("%s is called %s", want, got)
		}
	}
	var d Delays
	for i := range 100000 {
		d.Add(time.Duration(i%100) * time.Millisecond)
	}
	if a, b := d.At(0.5), d.At(0.95); a < 43*time.Millisecond || a > 51*time.Millisecond || b < 84*time.Millisecond || b > 96*time.Millisecond {
		t.Errorf("half within %s, 95 of 100 within %s", a, b)
	}
}
