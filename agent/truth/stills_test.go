package truth

import (
	"strings"
	"testing"

	"kerb/counting"
)

const stillsSample = `{"how_made":"by eye","images":[
 {"image":"a.jpg","width":200,"height":100,"occupancy_roi":{"bottom_y_min":40},"vehicle":6,"vehicle_range":[6,7],"person":2,"person_range":[2,4],"bicycle":1},
 {"image":"b.jpg","width":200,"height":100,"vehicle":1,"vehicle_range":[0,2],"person":null,"person_range":null,"bicycle":0}]}`

func TestStillsAreReadWithTheirRegionAndWhatNobodyCounted(t *testing.T) {
	ss, err := ParseStills([]byte(stillsSample))
	if err != nil {
		t.Fatal(err)
	}
	a, b := ss[0], ss[1]
	if a.Image != "a.jpg" || a.Count[counting.Vehicle] != 6 || a.Accept[counting.Person] != (Range{2, 4}) || a.Accept[counting.Bicycle] != (Range{1, 1}) {
		t.Errorf("%+v", a)
	}
	if g := a.Zone.Polygon; g.Contains(counting.Point{X: 0.5, Y: 0.3}) || !g.Contains(counting.Point{X: 0.5, Y: 1}) {
		t.Error("the region must be what stands below bottom_y_min")
	}
	if !b.Zone.Polygon.Contains(counting.Point{X: 0.5, Y: 0.01}) || b.Count[counting.Person] != -1 {
		t.Errorf("%+v", b)
	}
}

func TestAStillIsScoredByCoarseClass(t *testing.T) {
	ss, err := ParseStills([]byte(stillsSample))
	if err != nil {
		t.Fatal(err)
	}
	var seen [counting.Classes]int
	seen[counting.Person], seen[counting.Car], seen[counting.Heavy], seen[counting.Motorcycle] = 5, 4, 2, 1
	r := ss[0].ScoreCounts(seen)
	if v := r["vehicle"]; v.Counted != 7 || *v.Truth != 6 || v.AbsError != 1 || !v.Inside {
		t.Errorf("vehicle: %+v", v)
	}
	if v := r["person"]; v.AbsError != 3 || v.Inside || *v.Accept != [2]int{2, 4} {
		t.Errorf("person: %+v", v)
	}
	if v := r["bicycle"]; v.AbsError != 1 || v.Inside {
		t.Errorf("bicycle: %+v", v)
	}
	if v := ss[1].ScoreCounts(seen)["person"]; v.Truth != nil || v.AbsError != 0 || v.Counted != 5 || !v.Inside {
		t.Errorf("what nobody counted: %+v", v)
	}
}

func TestForeignStillsAreNamedErrors(t *testing.T) {
	for in, want := range map[string]string{
		`{`:               "unexpected end",
		sample:            "it is not the truth of stills",
		`{"images":[{}]}`: "image 0: must have a name",
		strings.Replace(stillsSample, `"height":100,"vehicle":1`, `"height":0,"vehicle":1`, 1): "image 1: must have",
	} {
		if _, err := ParseStills([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseStills = %v; want %q", err, want)
		}
	}
}

func FuzzParseStills(f *testing.F) {
	f.Add([]byte(stillsSample))
	f.Fuzz(func(t *testing.T, b []byte) {
		ss, err := ParseStills(b)
		if err != nil {
			return
		}
		for i := range ss {
			ss[i].ScoreCounts([counting.Classes]int{})
		}
	})
}
