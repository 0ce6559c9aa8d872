package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/opener"
	"kerb/agent/policy"
	"kerb/agent/publisher"
	"kerb/agent/sensor"
	"kerb/agent/source"
	"kerb/agent/store"
	"kerb/counting"
	"kerb/drivers/camera/scene"
)

// crowdPolicy is an operational policy with windows of a minute.
const crowdPolicy = `schema = "kerb.policy/1"
version = 1
purpose = "operational"
count = {streams = ["zone"], classes = ["person"]}
camera.follow_max = "0s"
clear = {window = "1m", method = "bands", bands = [5, 10, 20]}
keep.retention = "24h"
alert = [{stream = "pavement", class = "person", raise = %d, clear = %d, for = "1m"}]
`

// A crowdRun is the way of a scene's pictures through detector, window, clearing and
// spool, in the time of the pictures.
type crowdRun struct {
	*scene.Scene
	t            *testing.T
	camera       *sensor.Camera
	closeTallies func(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally
	policy       *policy.Policy
	store        *store.Store
	now          atomic.Int64 // time of the picture that is read
	next         time.Duration
	present      int             // people in the zone, in truth
	truth        []time.Duration // when present crossed raise, up and down
	raise        int
	told         []time.Duration // when the spool held an event "busy"
	sum, n       int
}

// ReadInto closes the windows that end before the next picture, and reads it.
func (r *crowdRun) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	at, err := r.Scene.ReadInto(ctx, dst)
	if err != nil {
		return at, err
	}
	now := at.Sub(time.Unix(0, 0))
	for ; r.next <= now; r.next += time.Minute {
		r.closeWindow(r.next)
	}
	r.now.Store(int64(now))
	present := 0
	for z := range r.Zones() {
		present += r.PresentIn(z)[counting.Person]
	}
	if (present >= r.raise) != (r.present >= r.raise) {
		r.truth = append(r.truth, now)
	}
	r.present, r.sum, r.n = present, r.sum+present, r.n+1
	return at, nil
}

// closeWindow ends the window at end, and stores what the policy makes of it.
func (r *crowdRun) closeWindow(end time.Duration) {
	base := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	tallies := r.closeTallies(time.Hour+end, base.Add(end-time.Minute), base.Add(end), time.Minute)
	for _, t := range tallies {
		r.t.Logf("%s: seen %.1f, true %.1f, %s %s", end, t.Presence[counting.Person].Seconds()/max(t.SampledTime().Seconds(), 1), float64(r.sum)/float64(max(r.n, 1)), t.Quality, t.Reason)
	}
	r.sum, r.n = 0, 0
	c := publisher.Clearer{Policy: r.policy, Store: r.store, OnStored: func() {}, Streams: r.camera.Streams(), Log: slog.New(slog.DiscardHandler)}
	if err := c.ClearAndStore(tallies, true); err != nil {
		r.t.Error(err)
	}
	for len(r.told) < len(busyEvents(r.store)) {
		r.told = append(r.told, end)
	}
}

func busyEvents(s *store.Store) (all []store.Note) {
	for _, n := range s.PendingNotes() {
		if n.Kind == "busy" {
			all = append(all, n)
		}
	}
	return all
}

// newCrowdRun opens the scene, a camera that counts it and a spool.
func newCrowdRun(t *testing.T, o scene.Opts, raise, clear int) *crowdRun {
	t.Helper()
	street, err := scene.New(o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("policy.toml", fmt.Appendf(nil, crowdPolicy, raise, clear))
	if err != nil {
		t.Fatal(err)
	}
	c := crowdCamera(street, config.NeuralDetector, "")
	log := slog.New(slog.DiscardHandler)
	r := &crowdRun{Scene: street, t: t, policy: p, next: time.Minute, raise: raise}
	direct := opener.New(c, p.MaxPixels(), (*exec.Cmd).Start, io.Discard, log)
	r.camera = sensor.NewCamera(c, p, opener.Local{Opener: direct}, func() time.Duration { return time.Duration(r.now.Load()) }, log)
	r.closeTallies = r.camera.CloseWindow
	synced := new(atomic.Bool)
	synced.Store(true)
	if r.store, err = publisher.OpenStore(t.TempDir(), p, clock.Clock{Floor: clockFloor}, synced); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.store.Close() })
	return r
}

// count counts the scene with the network until it ends.
func (r *crowdRun) count() {
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	r.camera.Open = func(context.Context) (source.Pictures, error) {
		if r.now.Load() > 0 { // the scene has ended
			cancel()
			return nil, context.Canceled
		}
		return r, nil
	}
	r.camera.Run(ctx)
}

// checkToldOnce complains unless the truth crossed the threshold up and down, and each
// was told by one event, at most 61 s later: with windows of a minute, and a crowd that
// comes with a window.
func checkToldOnce(t *testing.T, r *crowdRun) {
	t.Helper()
	t.Log("crossed", r.truth, "told", r.told)
	if len(r.truth) != 2 || len(r.told) != 2 {
		t.Fatalf("the truth crossed at %v, events at %v: want two of each", r.truth, r.told)
	}
	for i, want := range []bool{true, false} {
		if late := r.told[i] - r.truth[i]; late < 0 || late > 61*time.Second {
			t.Errorf("event %d came %s after the crossing", i, late)
		}
		if on := busyEvents(r.store)[i].Data["on"]; on != want {
			t.Errorf("event %d says %v", i, on)
		}
	}
}

// A crowd of 25 that comes and goes is told once, and its end once. A perfect counter
// stands for the detector, which finds a third of a drawn crowd: see the test below.
func TestACrowdIsToldOnceAndItsEndOnce(t *testing.T) {
	o := crowdOpts(scene.Crowd{People: 25, From: time.Minute, To: 3 * time.Minute})
	o.Rate, o.Frames = 1, 301
	r := newCrowdRun(t, o, 20, 10)
	tallier := counting.NewTallier(r.camera.Streams())
	r.closeTallies = tallier.CloseWindows
	picture := make([]byte, o.Width*o.Height)
	for range o.Frames {
		if _, err := r.ReadInto(t.Context(), picture); err != nil {
			t.Fatal(err)
		}
		tallier.AddPresence("pavement", [counting.Classes]int{counting.Person: r.present}, tallier.MarkWatched(time.Duration(r.now.Load())))
	}
	checkToldOnce(t, r)
}

// The same with the network that kerb demo -busy uses, and its crowd.
func TestTheCrowdOfTheDemonstrationIsToldOnce(t *testing.T) {
	o := crowdOpts(scene.Crowd{People: crowdPeople, From: time.Minute, To: 2 * time.Minute})
	o.Rate, o.Frames = 1, 241
	r := newCrowdRun(t, o, 10, 5)
	r.count()
	checkToldOnce(t, r)
}

// The pictures are of a crowd: in truth nobody is there, then 25, then nobody.
func TestTheCrowdComesAndGoes(t *testing.T) {
	o := crowdOpts(scene.Crowd{People: 25, From: 10 * time.Second, To: 40 * time.Second})
	o.Rate, o.Frames = 1, 60
	street, err := scene.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer street.Close()
	picture := make([]byte, o.Width*o.Height)
	for i := range o.Frames {
		if _, err := street.ReadInto(t.Context(), picture); err != nil {
			t.Fatal(err)
		}
		n := 0
		for z := range street.Zones() {
			n += street.PresentIn(z)[counting.Person]
		}
		switch {
		case i < 10 || i >= 55:
			if n != 0 {
				t.Errorf("second %d: %d people", i, n)
			}
		case i >= 20 && i < 40:
			if n < 23 || n > 25 { // somebody may stand on a border
				t.Errorf("second %d: %d people", i, n)
			}
		}
	}
}

// Noise around the threshold for an hour, by the clock of the windows, is one alert.
func TestAnHourOfNoiseAroundTheThresholdIsOneAlert(t *testing.T) {
	p, err := policy.Parse("policy.toml", fmt.Appendf(nil, crowdPolicy, 10, 5))
	if err != nil {
		t.Fatal(err)
	}
	synced := new(atomic.Bool)
	db, err := publisher.OpenStore(t.TempDir(), p, clock.Clock{Floor: clockFloor}, synced)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c := publisher.Clearer{Policy: p, Store: db, OnStored: func() {}, Synced: synced, Log: slog.New(slog.DiscardHandler)}
	rnd, above, below := rand.New(rand.NewPCG(1, 2)), 0, 0
	start := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	for i := range 60 {
		mean := 10 + rnd.NormFloat64()*1.5
		if mean >= 9.5 {
			above++
		} else {
			below++
		}
		at := start.Add(time.Duration(i) * time.Minute)
		tally := counting.Tally{Stream: "pavement", Kind: counting.ZoneStream, Start: at, End: at.Add(time.Minute), Observed: time.Minute, Mono: time.Hour + time.Duration(i)*time.Minute}
		tally.Counted[counting.Person], tally.Presence[counting.Person] = true, time.Duration(mean*float64(time.Minute))
		if err := c.ClearAndStore([]counting.Tally{tally}, true); err != nil {
			t.Fatal(err)
		}
	}
	if above < 10 || below < 10 {
		t.Fatalf("the control failed: %d minutes above, %d below", above, below)
	}
	if got := busyEvents(db); len(got) != 1 || got[0].Data["on"] != true {
		t.Errorf("%d events: %v", len(got), got)
	}
}
