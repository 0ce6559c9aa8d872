package clock

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

const length = 15 * time.Minute

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// machine is a machine whose clocks the test sets.
type machine struct {
	Reading
	w     *Windows
	ended []Window
	steps []Step
}

func newMachine(wall time.Time, synced bool) *machine {
	s := &machine{Reading: Reading{Wall: wall, Mono: time.Minute, Awake: time.Minute, Synced: synced}}
	s.w = NewWindows(length, s.Reading)
	return s
}

func (s *machine) advance(d time.Duration) {
	for d > 0 {
		n := min(d, s.w.NextWait())
		s.Wall, s.Mono, s.Awake, d = s.Wall.Add(n), s.Mono+n, s.Awake+n, d-n
		s.readClocks()
	}
}

func (s *machine) readClocks() {
	ended, step := s.w.AdvanceTo(s.Reading)
	s.ended = append(s.ended, ended...)
	if step != nil {
		s.steps = append(s.steps, *step)
	}
}

func (s *machine) stepWall(d time.Duration) {
	s.Wall = s.Wall.Add(d)
	s.readClocks()
}

// checkInvariants checks what must hold after any steps of the clock.
func (s *machine) checkInvariants(t *testing.T) {
	t.Helper()
	mono := time.Minute
	for i, w := range s.ended {
		if w.From != mono || w.Mono < w.From {
			t.Errorf("window %d covers %s–%s, the one before ended at %s", i, w.From, w.Mono, mono)
		}
		mono = w.Mono
		if !w.Start.Before(w.End) || w.End.After(w.Start.Truncate(length).Add(length)) {
			t.Errorf("window %d is labelled %s–%s", i, w.Start, w.End)
		}
		if w.Suspended < 0 || w.Suspended > w.Mono-w.From {
			t.Errorf("window %d slept %s of %s", i, w.Suspended, w.Mono-w.From)
		}
		for j, o := range s.ended[:i] {
			if w.Synced && o.Synced && w.Start.Before(o.End) && o.Start.Before(w.End) {
				t.Errorf("believed windows %d and %d overlap: %s–%s and %s–%s", j, i, o.Start, o.End, w.Start, w.End)
			}
		}
	}
}

func label(w Window) string {
	return fmt.Sprintf("%s–%s %v", w.Start.Format("2006 15:04:05"), w.End.Format("15:04:05"), w.Synced)
}

func TestWindowsRunOnWhateverTheClockDoes(t *testing.T) {
	for name, c := range map[string]struct {
		wall   time.Time
		synced bool
		do     func(s *machine)
		want   []string
		steps  int
	}{
		"an ordinary start": {noon.Add(7 * time.Minute), true, func(s *machine) { s.advance(30 * time.Minute) }, []string{
			"2026 12:07:00–12:15:00 true", "2026 12:15:00–12:30:00 true",
		}, 0},
		"a start in 1970": {time.Unix(30, 0).UTC(), false, func(s *machine) {
			s.advance(20 * time.Minute)
			s.stepWall(noon.Sub(s.Wall))
			s.Synced = true
			s.advance(15 * time.Minute)
		}, []string{
			"1970 00:00:30–00:15:00 false", "1970 00:15:00–00:20:30 false", "2026 12:00:00–12:15:00 true",
		}, 1},
		"one hour back": {noon, true, func(s *machine) {
			s.advance(20 * time.Minute)
			s.stepWall(-time.Hour)
			s.advance(70 * time.Minute)
		}, []string{
			"2026 12:00:00–12:15:00 true", "2026 12:15:00–12:20:00 true",
			"2026 11:20:00–11:30:00 true", "2026 11:30:00–11:45:00 true", "2026 11:45:00–12:00:00 true",
			"2026 12:00:00–12:15:00 false", "2026 12:15:00–12:30:00 false",
		}, 1},
		"ten years on and back": {noon, true, func(s *machine) {
			s.advance(5 * time.Minute)
			s.stepWall(s.Wall.AddDate(10, 0, 0).Sub(s.Wall))
			s.advance(5 * time.Minute)
			s.stepWall(s.Wall.AddDate(-10, 0, 0).Sub(s.Wall))
			s.advance(5 * time.Minute)
		}, []string{
			"2026 12:00:00–12:05:00 true", "2036 12:05:00–12:10:00 true", "2026 12:10:00–12:15:00 true",
		}, 2},
		"a leap into the next window": {noon, true, func(s *machine) {
			s.advance(14*time.Minute + 58*time.Second)
			s.stepWall(5 * time.Second)
			s.advance(15 * time.Minute)
		}, []string{
			"2026 12:00:00–12:14:58 true", "2026 12:15:03–12:30:00 true",
		}, 1},
		"back over the boundary": {noon, true, func(s *machine) {
			s.advance(15*time.Minute + 2*time.Second)
			s.stepWall(-5 * time.Second)
			s.advance(16 * time.Minute)
		}, []string{
			"2026 12:00:00–12:15:00 true", "2026 12:15:00–12:15:02 true",
			"2026 12:14:57–12:15:00 false", "2026 12:15:00–12:30:00 false",
		}, 1},
		"too small to be a step": {noon, true, func(s *machine) {
			for range 16 * 60 {
				s.stepWall(400 * time.Microsecond)
				s.advance(time.Second)
			}
		}, []string{"2026 12:00:00–12:15:00 true"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newMachine(c.wall, c.synced)
			c.do(s)
			s.checkInvariants(t)
			if len(s.steps) != c.steps {
				t.Errorf("steps %v, want %d", s.steps, c.steps)
			}
			var got []string
			for _, w := range s.ended {
				got = append(got, label(w))
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func TestTimeAsleepIsTakenFromTheWindowsItFellIn(t *testing.T) {
	s := newMachine(noon, true)
	s.advance(10 * time.Minute)
	s.Wall, s.Mono = s.Wall.Add(30*time.Minute), s.Mono+30*time.Minute // Awake stands still
	s.readClocks()
	s.advance(5 * time.Minute)
	s.checkInvariants(t)
	want := []time.Duration{5 * time.Minute, 15 * time.Minute, 10 * time.Minute}
	for i, w := range s.ended {
		if w.Suspended != want[i] {
			t.Errorf("window %d slept %s, want %s", i, w.Suspended, want[i])
		}
	}
	if len(s.ended) != 3 || len(s.steps) != 0 {
		t.Errorf("%d windows, steps %v", len(s.ended), s.steps)
	}
}

func TestNoTurnOfTheClockDoublesOrLosesAnInstant(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		s := newMachine(noon.Add(time.Duration(rnd.Int64N(int64(length)))), rnd.IntN(2) == 0)
		for range 12 {
			s.advance(time.Duration(rnd.Int64N(int64(20 * time.Minute))))
			switch rnd.IntN(4) {
			case 0:
				s.stepWall(time.Duration(rnd.Int64N(int64(3*time.Hour))) - 90*time.Minute)
			case 1:
				s.stepWall(time.Duration(rnd.Int64N(int64(4*time.Second))) - 2*time.Second)
			case 2:
				d := time.Duration(rnd.Int64N(int64(time.Hour)))
				s.Wall, s.Mono = s.Wall.Add(d), s.Mono+d
			case 3:
				s.Synced = !s.Synced
			}
		}
		ended, _ := s.w.StopAt(s.Reading)
		s.ended = append(s.ended, ended...)
		s.checkInvariants(t)
		if n := len(s.ended); n == 0 || s.ended[n-1].Mono != s.Mono && s.w.start.Before(s.Wall) {
			t.Errorf("seed %d: the account ends before time does", seed)
		}
	}
}

func TestTheKernelOrTheFloorVouchesForTheClock(t *testing.T) {
	for _, c := range []struct {
		floor, wall time.Time
		ntp         bool
		want        string
	}{
		{time.Time{}, noon, true, "ntp"},
		{time.Time{}, noon, false, "none"},
		{noon, noon, false, "floor"},
		{noon, time.Unix(0, 0), false, "none"},
		{noon, time.Unix(0, 0), true, "ntp"},
	} {
		r := Clock{Floor: c.floor}.setSource(Reading{Wall: c.wall}, c.ntp)
		if r.Source != c.want || r.Synced != (c.want != "none") {
			t.Errorf("%+v: %+v", c, r)
		}
	}
	r := Clock{}.ReadAll()
	if r.Mono <= 0 || r.Awake <= 0 || r.Awake > r.Mono+time.Second || r.Source == "" {
		t.Errorf("this machine reads %+v", r)
	}
}
