package replay

import (
	"encoding/json"
	"strings"
	"testing"

	"kerb/agent/truth"
	"kerb/counting"
)

func TestReplayTellsMotorcyclesCarsAndHeavyVehiclesApart(t *testing.T) {
	var crossings []counting.Crossing
	for _, c := range []counting.Class{counting.Car, counting.Car, counting.Heavy, counting.Vehicle, counting.Person} {
		crossings = append(crossings, counting.Crossing{Stream: "road", Class: c})
	}
	for _, known := range []bool{true, false} {
		res := result{known: known, Counted: countByClass(crossings)}
		res.Report = (&truth.Truth{Rate: 10, Lines: []truth.Line{{Line: counting.Line{ID: "road"}}}}).ScoreCrossings(joinSplit(crossings), nil)
		var text strings.Builder
		res.printText(&text)
		for _, want := range []string{"  car: 2 of those counted as vehicle\n", "  heavy: 1 of those counted as vehicle\n", " vehicle    a_to_b        4"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("known %v: %q is not in\n%s", known, want, text.String())
			}
		}
		if strings.Contains(text.String(), "motorcycle") || strings.Contains(text.String(), " car  ") {
			t.Errorf("known %v: a class without counts, or counts twice:\n%s", known, text.String())
		}
		b, err := json.Marshal(&res)
		if want := `"counted":{"car":2,"heavy":1,"person":1,"vehicle":4}`; err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s: %v", want, b, err)
		}
	}
}

func TestStillsTellMotorcyclesCarsAndHeavyVehiclesApart(t *testing.T) {
	known := truth.Still{Image: "a.jpg"}
	known.Count[counting.Vehicle], known.Accept[counting.Vehicle] = 4, truth.Range{Min: 3, Max: 4}
	seen := [counting.Classes]int{counting.Vehicle: 1, counting.Car: 2}
	s := stillResult{Image: "a.jpg", Classes: known.ScoreCounts(seen)}
	addSplit(s.Classes, seen)
	if v := s.Classes["car"]; v.Counted != 2 || v.Truth != nil || s.Classes["vehicle"].Counted != 3 {
		t.Errorf("%+v", s.Classes)
	}
	var text strings.Builder
	printStills(&text, []stillResult{s})
	for _, want := range []string{"         car\n", "car: 2 of those counted as vehicle\n", "vehicle: off by 1 of 4 in 1 stills"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "heavy") {
		t.Errorf("a class without counts:\n%s", text.String())
	}
}
