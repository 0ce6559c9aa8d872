package proof

import (
	"testing"

	"kerb/agent/cage"
)

func TestAWallThatDoesNotHoldIsAFault(t *testing.T) {
	through := cage.Report{Role: "free", Walls: []cage.Wall{{Name: "listen"}}}
	for name, c := range map[string]struct {
		walls []cage.Report
		want  int
	}{
		"all hold":                            {[]cage.Report{through, {Role: "sense", Walls: []cage.Wall{{Name: "listen", Holds: true}}}}, 0},
		"one may":                             {[]cage.Report{through, {Role: "uplink", Walls: []cage.Wall{{Name: "listen", Reason: "why"}}}}, 0},
		"one does not hold":                   {[]cage.Report{through, {Role: "sense", Walls: []cage.Wall{{Name: "listen"}}}}, 1},
		"the attempts themselves do not work": {[]cage.Report{{Walls: []cage.Wall{{Name: "listen", Holds: true}}}}, 1},
	} {
		p := Bundle{Walls: c.walls}
		if p.JudgeWalls(); len(p.Faults) != c.want {
			t.Errorf("%s: %q", name, p.Faults)
		}
	}
}
