package model

import (
	"testing"

	"kerb/agent/config"
	"kerb/counting/neural"
	"kerb/counting/neural/nets"
)

// chosen returns the network that a camera of 352×288 pixels gets on a device that runs
// street at up to so many pictures a second, and the sides of its input.
func chosen(t *testing.T, streetRate float64) (name string, w, h int) {
	t.Helper()
	work := map[int]float64{416: 1, 608: 3} // by the longer side, in runs of street
	sustained := func(net *neural.Net, rate float64) bool {
		_, shape := net.Input("")
		return streetRate/work[shape[3]] >= rate
	}
	d, err := Choose(config.Camera{Detector: config.AutoDetector}, 352, 288, 1, nil, ReadNetwork, sustained)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Net != nil {
		_, shape := d.Net.Input("")
		w, h = shape[3], shape[2]
	}
	return d.Name, w, h
}

func TestTheLargeNetworkIsChosenWhereItKeepsFollowingsRate(t *testing.T) {
	for _, c := range []struct {
		rate float64
		want string
		w, h int
	}{
		{3 * largeRate, nets.Large, 608, 512},
		{3*largeRate - 1, nets.Street, 416, 352},
		{minRate, nets.Street, 416, 352},
	} {
		if name, w, h := chosen(t, c.rate); name != c.want || w != c.w || h != c.h {
			t.Errorf("at %v pictures a second with street: %s at %d×%d, want %s at %d×%d", c.rate, name, w, h, c.want, c.w, c.h)
		}
	}
}
