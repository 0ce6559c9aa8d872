package main

import (
	"testing"
	"time"
)

func TestDelaysAreToldWithinAnEighth(t *testing.T) {
	for want := 20 * time.Microsecond; want < time.Minute; want = want*5/4 + 1 {
		var d delays
		d.add(want)
		if got := d.at(0.5); got > want || float64(got) < 0.86*float64(want)-float64(unit) {
			t.Errorf("%s is called %s", want, got)
		}
	}
	var d delays
	for i := range 100000 {
		d.add(time.Duration(i%100) * time.Millisecond)
	}
	if a, b := d.at(0.5), d.at(0.95); a < 43*time.Millisecond || a > 51*time.Millisecond || b < 84*time.Millisecond || b > 96*time.Millisecond {
		t.Errorf("half within %s, 95 of 100 within %s", a, b)
	}
}
