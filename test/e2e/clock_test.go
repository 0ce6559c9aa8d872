package e2e

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/store/storetest"
	"kerb/counting"
)

// From the clock to the spool: whatever the wall clock does, each window is
// cleared, numbered and stamped, and no two that are believed overlap.
func TestTheClockMayLieButTheAccountDoesNot(t *testing.T) {
	long := 10 * 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		start time.Time
		turns []time.Duration
	}{
		"1970":                 {time.Unix(20, 0).UTC(), []time.Duration{storetest.FirstStart.Sub(time.Unix(60, 0))}},
		"ten years on":         {storetest.FirstStart, []time.Duration{long, -long}},
		"ten years back":       {storetest.FirstStart, []time.Duration{-long, long}},
		"one hour back":        {storetest.FirstStart, []time.Duration{-time.Hour}},
		"into the next window": {storetest.FirstStart, []time.Duration{3 * time.Second}},
		// gokrazy sets the time of the last shutdown, and the right one later: gokrazy#392.
		"back to the last shutdown": {storetest.FirstStart, []time.Duration{-102 * time.Second, 104 * time.Second}},
		"to and fro":                {storetest.FirstStart, []time.Duration{-3 * time.Second, 3 * time.Second, -time.Hour, time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			r := clock.Reading{Wall: c.start, Mono: time.Minute, Awake: time.Minute, Synced: c.start.Year() > 2000}
			synced := r.Synced
			s, err := store.Open(filepath.Join(t.TempDir(), "spool"),
				store.StampWith(func() (string, bool) { return "b194", synced }), store.WallClock(func() time.Time { return time.Time{} }))
			if err != nil {
				t.Fatal(err)
			}
			p := policy.Demo()
			w := clock.NewWindows(p.Window(), r)
			steps := 0
			take := func(ended []clock.Window, step *clock.Step) {
				t.Helper()
				if step != nil {
					steps++
				}
				for _, o := range ended {
					y := counting.Tally{Stream: "a", Start: o.Start, End: o.End, Mono: o.Mono, Observed: o.Observed()}
					y.Counted[counting.Person] = true
					if y.Observed == 0 {
						y.Quality, y.Reason = counting.Gap, counting.ReasonStalled
					}
					rel, err := p.Clear(y)
					if err != nil {
						t.Fatal(err)
					}
					synced = o.Synced
					if _, err := s.Append([]policy.Release{rel}); err != nil {
						t.Fatal(err)
					}
				}
			}
			rnd := rand.New(rand.NewPCG(1, 1))
			for i := 0; i <= len(c.turns); i++ {
				for end := r.Mono + 23*time.Second; r.Mono < end; {
					d := time.Duration(1 + rnd.Int64N(int64(time.Second)))
					r.Wall, r.Mono, r.Awake = r.Wall.Add(d), r.Mono+d, r.Awake+d
					take(w.AdvanceTo(r))
				}
				if i < len(c.turns) {
					r.Wall, r.Synced = r.Wall.Add(c.turns[i]), true
				}
			}
			take(w.StopAt(r))
			if steps != len(c.turns) {
				t.Errorf("%d steps seen of %d", steps, len(c.turns))
			}
			seq, mono := uint64(0), time.Duration(0)
			err = s.EachWindow(func(i store.Item) error {
				if seq++; i.Seq != seq || i.Release.Mono() < mono || !i.Release.StartTime().Before(i.Release.EndTime()) {
					t.Errorf("window %d: number %d, %s–%s, mono %s", seq, i.Seq, i.Release.StartTime(), i.Release.EndTime(), i.Release.Mono())
				}
				mono = i.Release.Mono()
				return nil
			})
			if err := errors.Join(err, s.Close()); err != nil {
				t.Error(err)
			}
			if seq < uint64(4*(len(c.turns)+1)) {
				t.Errorf("%d windows", seq)
			}
		})
	}
}
