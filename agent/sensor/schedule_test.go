package sensor

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/policy/policytest"
	"kerb/agent/source"
	"kerb/agent/week"
	"kerb/counting"
)

// greyCamera gives grey pictures and reports when it is opened, read and closed.
type greyCamera struct {
	looks          *atomic.Int64
	opened, closed chan struct{}
}

func (g *greyCamera) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	select {
	case <-time.After(time.Millisecond):
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	g.looks.Add(1)
	return time.Now(), nil
}

func (*greyCamera) Size() (w, h int) { return 64, 48 }

func (g *greyCamera) Close() error { g.closed <- struct{}{}; return nil }

// greySensor returns a Camera that opens a greyCamera.
func greySensor(p *policy.Policy) (*Camera, *greyCamera) {
	c := config.Camera{Name: "north", Lines: []config.Line{{
		Line:    counting.Line{ID: "kerb", From: counting.Point{Y: 0.5}, To: counting.Point{X: 1, Y: 0.5}},
		Classes: []counting.Class{counting.Person},
	}}}
	begin := time.Now()
	s := NewCamera(c, p, nil, func() time.Duration { return time.Since(begin) }, slog.New(slog.DiscardHandler))
	g := &greyCamera{new(atomic.Int64), make(chan struct{}, 8), make(chan struct{}, 8)}
	s.Open = func(context.Context) (source.Pictures, error) { g.opened <- struct{}{}; return g, nil }
	return s, g
}

func TestOutsideItsHoursTheCameraIsClosedAndItsWindowsAreGaps(t *testing.T) {
	p := policytest.Parse(t, policytest.Daytime)
	s, g := greySensor(p)
	var now atomic.Pointer[clock.Reading]
	turn := func(local string, synced bool) {
		zone, err := time.LoadLocation("Europe/Helsinki")
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.ParseInLocation("2006-01-02 15:04:05", local, zone)
		if err != nil {
			t.Fatal(err)
		}
		now.Store(&clock.Reading{Wall: at.UTC(), Synced: synced})
	}
	turn("2026-11-23 06:59:59", true) // a Monday
	hours := NewSchedule(p, nil, func() clock.Reading { return *now.Load() })
	hours.interval = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); hours.Run(ctx, s) }()

	window := func(want string) {
		t.Helper()
		at := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC) // closed in Helsinki
		r, err := p.Clear(s.CloseWindow(time.Hour, at, at.Add(15*time.Minute), 15*time.Minute)[0])
		if err != nil || r.Quality() != counting.Gap || r.Reason() != want {
			t.Errorf("window: %v, %s, %v", r.Quality(), r.Reason(), err)
		}
	}
	window("closed")
	for _, end := range []string{"2026-11-23 18:59:59.9", "2026-11-23 19:00:00", "2026-11-28 12:00:00"} {
		turn("2026-11-23 07:00:00", true)
		<-g.opened
		for seen := g.looks.Load(); g.looks.Load() < seen+3; {
			time.Sleep(time.Millisecond)
		}
		turn(strings.TrimSuffix(end, ".9"), true)
		if strings.HasSuffix(end, ".9") { // it closes before the hour, never after it
			r := *now.Load()
			r.Wall = r.Wall.Add(900 * time.Millisecond)
			now.Store(&r)
		}
		<-g.closed
		seen := g.looks.Load()
		time.Sleep(20 * time.Millisecond)
		if g.looks.Load() != seen || len(g.opened) > 0 {
			t.Errorf("%s: a closed camera is read", end)
		}
		if ts := s.CloseWindow(time.Hour, time.Unix(0, 0), time.Unix(900, 0), 15*time.Minute); ts[0].Reason != counting.ReasonClosed {
			t.Errorf("%s: the window says %q", end, ts[0].Reason)
		}
	}
	// While the clock is not synchronised the camera stays closed, too.
	turn("2026-11-23 12:00:00", false)
	time.Sleep(20 * time.Millisecond)
	if ts := s.CloseWindow(time.Hour, time.Unix(0, 0), time.Unix(900, 0), 15*time.Minute); ts[0].Quality != counting.Gap || ts[0].Reason != counting.ReasonClock || len(g.opened) > 0 {
		t.Errorf("with a wrong clock: %v, %q", ts[0].Quality, ts[0].Reason)
	}
	cancel()
	<-done
}

// A camera's own hours are in the policy's time zone, and narrow the policy's.
func TestACameraHasHoursOfItsOwn(t *testing.T) {
	p := policytest.Parse(t, policytest.Daytime)
	var own week.Spans
	for _, text := range []string{"Sat-Sun 00:00-24:00", "Mon 05:00-09:00"} {
		var s week.Span
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		own = append(own, s)
	}
	for at, want := range map[string]string{
		"2026-11-23 06:00:00": "closed",        // a Monday: the policy's begin at seven
		"2026-11-23 08:59:59": "",              // of the policy's and of its own
		"2026-11-23 09:00:00": "camera_closed", // its own are over
		"2026-11-24 08:00:00": "camera_closed",
		"2026-11-28 12:00:00": "closed",
	} {
		wall, err := time.ParseInLocation(time.DateTime, at, p.TimeZone())
		if err != nil {
			t.Fatal(err)
		}
		if why := p.ClosedReason(own, wall.UTC(), true); why.String() != want {
			t.Errorf("%s: %q, want %q", at, why, want)
		}
		if why := policy.Demo().ClosedReason(own, wall.UTC(), false); why == counting.NoReason {
			t.Errorf("%s: open by a clock that is not trusted", at)
		}
	}
}

func TestWithoutHoursTheClockDoesNotMatter(t *testing.T) {
	p := policytest.Parse(t, strings.Replace(policytest.Daytime, `hours = { open = ["Mon-Fri 07:00-19:00"], timezone = "Europe/Helsinki" }`, "", 1))
	if why := NewSchedule(p, nil, func() clock.Reading { return clock.Reading{} }).closedReason(); why != counting.NoReason {
		t.Error(why)
	}
}
