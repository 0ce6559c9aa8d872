package supervisor

import (
	"os"
	"testing"
	"time"

	"kerb/counting"
	"kerb/counting/vision"
	"kerb/counting/vision/health"
)

// A fault of the view begins at dusk and ends at dawn a fixed time after the light went or
// came. A lamp that passes in the very seconds in which it does can move that second, by
// no more than the time for which it lights the road and one picture; before, a glimpse of
// another fault moved it by up to 50 s, and a lamp at dawn by a minute. KERB_LONG plays
// 1,000 nights.
func TestALampMovesAFaultByItsOwnTimeAtMost(t *testing.T) {
	nights := 12
	if os.Getenv("KERB_LONG") != "" {
		nights = 1000
	}
	for _, sc := range listScenes() {
		if sc.kind != counting.ZoneStream || !sc.dusk && !sc.dawn {
			continue
		}
		moved, sum := 0, time.Duration(0)
		for night := range nights {
			seed := uint64(40 + night) // 46 and 47 were moved by 2 s and 50 s
			before, after := findChange(t, sc, seed, false), findChange(t, sc, seed, true)
			d := (after - before).Abs()
			if d > sc.lasts+2*time.Second {
				t.Errorf("%s, seed %d: the fault changes at %v, and with a lamp at %v", sc.name, seed, before, after)
			}
			if sum += d; d > 0 {
				moved++
			}
		}
		t.Logf("%s: a lamp moved the change in %d of %d nights, by %v in the mean of all", sc.name, moved, nights, sum/time.Duration(nights))
		if 6*moved > nights {
			t.Errorf("%s: moved in %d of %d nights", sc.name, moved, nights)
		}
	}
}

// findChange returns the time of the picture at which the view of a street that gets dark
// is found spoilt, or one that gets light is found good again.
func findChange(t *testing.T, sc scene, seed uint64, one bool) time.Duration {
	p := newPlay(t, readShippedPolicy(t, "busyness"), sc, seed, one, false)
	s := p.stage
	s.allowed = s.at + 5*time.Minute
	m, dark := new(health.Monitor), false
	c, err := vision.New(s, vision.Opts{Width: stageWidth, Height: stageHeight, Health: m, Zones: []counting.Zone{p.site.Cameras[0].Zones[0].Zone}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for s.next(s.shown) < s.allowed {
		if _, err := c.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		was := dark
		if dark = m.CurrentFault().Pauses(); dark == sc.dusk && (dark || was) {
			return s.shown
		}
	}
	t.Fatalf("%s, seed %d: the view does not change", sc.name, seed)
	return 0
}
