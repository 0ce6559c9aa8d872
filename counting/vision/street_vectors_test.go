package vision

import (
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"kerb/counting"
)

// vectorPoint is a place in the picture as the vectors write it.
type vectorPoint [2]float64

func (p vectorPoint) point() counting.Point { return counting.Point{X: p[0], Y: p[1]} }

// TestTheStreetVectorsHold reads what test/vectors/street/README.md describes.
func TestTheStreetVectorsHold(t *testing.T) {
	b, err := os.ReadFile("../../test/vectors/street/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name    string
		Aspect  float64
		Heights []struct {
			Foot, Top vectorPoint
			Metres    float64
		}
		Distance *struct {
			From, To vectorPoint
			Metres   float64
		}
		Points []struct {
			At    vectorPoint
			Right float64 `json:"right_m"`
			Away  float64 `json:"away_m"`
		}
		Trail  [][2]json.RawMessage
		Speed  *float64 `json:"speed_mps"`
		Stands bool
	}
	if err := json.Unmarshal(b, &cases); err != nil || len(cases) < 10 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for _, c := range cases {
		var hs []counting.Height
		for _, h := range c.Heights {
			hs = append(hs, counting.Height{Foot: h.Foot.point(), Top: h.Top.point(), Metres: h.Metres})
		}
		var d *counting.Distance
		if c.Distance != nil {
			d = &counting.Distance{From: c.Distance.From.point(), To: c.Distance.To.point(), Metres: c.Distance.Metres}
		}
		g, ok := counting.NewGround(hs, d, c.Aspect)
		if !ok {
			t.Errorf("%s: no ground", c.Name)
			continue
		}
		for _, p := range c.Points {
			right, away, _ := g.Locate(p.At.point())
			if math.Abs(right-p.Right) > 1e-6 || math.Abs(away-p.Away) > 1e-6 {
				t.Errorf("%s: %v lies %.6f right and %.6f away; want %.6f, %.6f", c.Name, p.At, right, away, p.Right, p.Away)
			}
		}
		var w trail
		var now time.Duration
		for _, row := range c.Trail {
			var ms int
			var p vectorPoint
			if json.Unmarshal(row[0], &ms) != nil || json.Unmarshal(row[1], &p) != nil {
				t.Fatalf("%s: %s", c.Name, row)
			}
			now = time.Duration(ms) * time.Millisecond
			w.add(p.point(), now)
		}
		v, told := w.speed(g)
		if told != (c.Speed != nil) || told && math.Abs(v-*c.Speed) > 1e-6 || w.stands(g, now) != c.Stands {
			t.Errorf("%s: %.6f m/s (%v), stands %v", c.Name, v, told, w.stands(g, now))
		}
	}
}
