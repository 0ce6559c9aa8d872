package demo

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"kerb/agent/policy"
	"kerb/counting"
	"kerb/drivers/camera/scene"
)

func TestTheTableTellsMissesApartFromNoise(t *testing.T) {
	l := newLedger([]counting.Stream{
		{ID: "left", Kind: counting.LineStream, Classes: []counting.Class{counting.Person}},
		{ID: "road", Kind: counting.LineStream, Classes: []counting.Class{counting.Vehicle}},
	})
	for range 3 {
		l.addTruth([]scene.Event{{Stream: "left", Class: counting.Person, Dir: counting.AToB}})
	}
	left, road := counting.Tally{Stream: "left"}, counting.Tally{Stream: "road"}
	left.Crossings[counting.Person] = [counting.Directions]uint32{2, 1} // one is missed, and one counted in the wrong direction
	l.addTallies([]counting.Tally{left, road})
	l.addMessage("kerb/v1/kerb/demo/demo/count/left", []byte(`{"stream":"left","counts":[{"class":"person","dir":"a_to_b","n":4},{"class":"person","dir":"b_to_a","n":-1}]}`))
	l.addMessage("kerb/v1/kerb/demo/demo/meta", []byte(`{"stream":"left","counts":[{"class":"person","n":9}]}`))
	rows := l.rows(policy.Demo(), true)
	if len(rows) != 2 {
		t.Fatalf("%+v", rows)
	}
	if r := rows[0]; *r.Real != 3 || r.Counted != 3 || *r.Missed != 1 || *r.Extra != 1 || r.Released != 3 || r.Numbers != 2 ||
		r.Says != "of 3 crossings 1 missed, 1 too many; the broker got 3, noise ±2" {
		t.Errorf("%+v", r)
	}
	if r := rows[1]; *r.Real != 0 || !strings.HasPrefix(r.Says, "nothing crossed") {
		t.Errorf("%+v", r)
	}
	if r := l.rows(policy.Demo(), false)[0]; r.Real != nil || !strings.HasPrefix(r.Says, "3 counted") {
		t.Errorf("without truth: %+v", r)
	}
	var b bytes.Buffer
	if err := writeTable(&b, rows); err != nil || !strings.Contains(b.String(), "left    person   3") {
		t.Errorf("%v\n%s", err, &b)
	}
}

// The variances of independent numbers add up.
func TestTheBandIsThatOfTwoSidedGeometricNoise(t *testing.T) {
	p, l := policy.Demo(), newLedger(nil)
	if got := l.noiseBand(p, "road", 1); math.Abs(got-1.96*0.6017) > 0.02 { // √(2e⁻²)/(1-e⁻²)
		t.Errorf("one number: ±%.3f", got)
	}
	if one, four := l.noiseBand(p, "road", 1), l.noiseBand(p, "road", 4); math.Abs(four-2*one) > 1e-9 {
		t.Errorf("four numbers: ±%.3f, one ±%.3f", four, one)
	}
}
