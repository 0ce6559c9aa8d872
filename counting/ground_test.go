package counting

import (
	"math"
	"testing"
)

// pinhole is a camera 6 m above a flat street, whose horizon is at the row of -0.1 and
// whose lens sees 62° across.
type pinhole struct{ height, horizon, lens, aspect float64 }

var lamp62 = pinhole{6, -0.1, 0.83, 4.0 / 3}

// picture is where a point of the street appears: right and up of the camera's foot, away
// from it.
func (c pinhole) picture(right, up, away float64) Point {
	f := c.lens * c.aspect // in heights of the picture
	return Point{0.5 + c.lens*right/away, c.horizon + f*(c.height-up)/away}
}

func (c pinhole) heightAt(right, away, metres float64) Height {
	return Height{c.picture(right, 0, away), c.picture(right, metres, away), metres}
}

func TestHeightsAndADistanceGiveTheGround(t *testing.T) {
	c := lamp62
	hs := []Height{c.heightAt(2, 9, 2.5), c.heightAt(-3, 25, 1.75)}
	along := &Distance{c.picture(1, 0, 10), c.picture(1.5, 0, 18), math.Hypot(0.5, 8)}
	for _, k := range []struct {
		name          string
		hs            []Height
		d             *Distance
		across, along bool // is measured right
	}{
		{"two heights, across", hs, nil, true, false},
		{"a distance, along itself", nil, along, false, true},
		{"both, everywhere", hs, along, true, true},
	} {
		g, ok := NewGround(k.hs, k.d, c.aspect)
		if !ok {
			t.Fatalf("%s: no ground", k.name)
		}
		x, _, _ := g.between(c.picture(-2, 0, 14), c.picture(3, 0, 14))
		_, z, _ := g.between(c.picture(1.2, 0, 12), c.picture(1.2, 0, 16))
		if right := math.Abs(math.Abs(x)/5-1) < 0.01; right != k.across {
			t.Errorf("%s: 5 m across measure %.2f", k.name, x)
		}
		if right := math.Abs(math.Abs(z)/4-1) < 0.06; right != k.along {
			t.Errorf("%s: 4 m away measure %.2f", k.name, z)
		}
	}
	for name, bad := range map[string][]Height{
		"upside down":      {{c.picture(0, 2, 9), c.picture(0, 0, 9), 2}, hs[1]},
		"no perspective":   {hs[0], {c.picture(0, 0, 20), c.picture(0, 0.1, 20), 0.04}},
		"only one of them": hs[:1],
	} {
		if _, ok := NewGround(bad, nil, c.aspect); ok {
			t.Errorf("%s: taken", name)
		}
	}
	if _, ok := NewGround(hs, &Distance{along.From, along.To, 90}, c.aspect); ok {
		t.Error("90 m for 8 m is taken")
	}
}

// The declared error is small where the speed is measured, and too large where only the
// scale in the other direction is known.
func TestTheDeclaredErrorOfASpeedKnowsWhatIsMeasured(t *testing.T) {
	c := lamp62
	hs := []Height{c.heightAt(2, 9, 2.5), c.heightAt(-3, 25, 1.75)}
	along := &Distance{c.picture(1, 0, 10), c.picture(1.5, 0, 18), math.Hypot(0.5, 8)}
	acrossRoad := Line{From: c.picture(-4, 0, 13), To: c.picture(4, 0, 13)} // they drive away
	alongRoad := Line{From: c.picture(0, 0, 10), To: c.picture(0, 0, 18)}   // they drive across
	far := Line{From: c.picture(-4, 0, 45), To: c.picture(4, 0, 45)}
	for _, k := range []struct {
		name  string
		hs    []Height
		d     *Distance
		l     Line
		worth bool
	}{
		{"heights, and they drive across", hs, nil, alongRoad, true},
		{"heights, and they drive away: the lens is not known", hs, nil, acrossRoad, false},
		{"a distance, and they drive along it", nil, along, acrossRoad, true},
		{"a distance, and they drive across it", nil, along, alongRoad, false},
		{"a distance, far from the line", nil, along, far, false},
		{"both, and they drive across", hs, along, alongRoad, true},
		{"both, and they drive away", hs, along, acrossRoad, true},
		{"nothing", nil, nil, acrossRoad, false},
	} {
		e := SpeedError(k.hs, k.d, k.l)
		t.Logf("%s: %.3f", k.name, e)
		if (e <= MaxSpeedError) != k.worth || e < followError {
			t.Errorf("%s: %.3f", k.name, e)
		}
	}
}
