package publisher

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
)

// A camera's line and a pair of loops on one road, cleared with noise. Their speeds agree
// for a day, then the camera is turned and its speeds are half as large again; then
// somebody measures the street anew.
func TestSpeedsOfTwoStreamsThatDriftAreTold(t *testing.T) {
	pol, err := policy.Parse("policy.toml", []byte(`schema = "kerb.policy/1"
version = 1
purpose = "statistical"
count.streams = ["line", "loop"]
count.classes = ["vehicle"]
count.quantities = ["speed"]
camera.follow_max = "30s"
keep.retention = "72h"
clear = {window = "15m", method = "noise", epsilon = 1, below = 0}
`))
	if err != nil {
		t.Fatal(err)
	}
	vehicles := []counting.Class{counting.Vehicle}
	streams := []counting.Stream{
		{ID: "camera", Kind: counting.LineStream, Classes: vehicles, Measures: counting.QuantitiesOf(counting.LineStream)},
		{ID: "pair", Kind: counting.LoopStream, Classes: vehicles, Measures: counting.QuantitiesOf(counting.LoopStream), LengthBins: counting.UKLengths()},
	}
	pair, err := NewComparison(config.Comparison{A: "camera", B: "pair", Expect: 1, Tolerance: 0.25}, pol, streams)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(filepath.Join(t.TempDir(), "spool.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var log strings.Builder
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	day := func(wrong float64) {
		for range 96 {
			var rs []policy.Release
			for i, s := range streams {
				y := counting.Tally{
					Stream: s.ID, Kind: s.Kind, Start: at, End: at.Add(pol.Window()), Mono: time.Hour, Observed: pol.Window(),
					Measures: s.Measures, LengthBins: s.LengthBins.Len(),
				}
				y.Counted[counting.Vehicle] = true
				y.Crossings[counting.Vehicle][counting.AToB] = 60
				y.Traffic.CoveredOver = pol.Window()
				for k := range 60 {
					v := 35 + float64(k%30)
					if i == 0 {
						v *= wrong
					}
					y.Traffic.AddSpeed(v)
				}
				r, err := pol.Clear(y)
				if err != nil {
					t.Fatal(err)
				}
				rs = append(rs, r)
			}
			pair.addWindow(rs, db, slog.New(slog.NewTextHandler(&log, nil)))
			at = at.Add(pol.Window())
		}
	}
	for _, k := range []struct {
		wrong float64
		told  string
	}{{1.05, ""}, {1.5, "drifted=true"}, {1, "drifted=false"}} {
		log.Reset()
		day(k.wrong)
		told := strings.Count(log.String(), "streams disagree")
		if want := min(len(k.told), 1); told != want || !strings.Contains(log.String(), k.told) {
			t.Errorf("speeds × %g: told %d times, want %d: %s", k.wrong, told, want, fmt.Sprint(log.String()))
		}
	}
}
