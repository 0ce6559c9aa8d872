package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
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
	t       *testing.T
	camera  *sensor.Camera
	policy  *policy.Policy
	store   *store.Store
	now     atomic.Int64 // time of the picture that is read
	next    time.Duration
	present int             // people in the zone, in truth
	truth   []time.Duration // when present crossed raise, up and down
	raise   int
	told    []time.Duration // when the spool held an event "busy"
	sum, n  int
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
	tallies := r.camera.CloseWindow(time.Hour+end, base.Add(end-time.Minute), base.Add(end), time.Minute)
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

// runCrowd counts the scene with the detector until it ends.
func runCrowd(t *testing.T, words, detector string, raise, clear int, pose scene.Camera) *crowdRun {
	t.Helper()
	opts, err := scene.ParseOpts(words)
	if err != nil {
		t.Fatal(err)
	}
	opts.Camera = pose
	street, err := scene.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("policy.toml", fmt.Appendf(nil, crowdPolicy, raise, clear))
	if err != nil {
		t.Fatal(err)
	}
	zone := crowdZone(street)
	c := config.Camera{Name: "street", Detector: detector, Heights: street.Heights(), Zones: []config.Zone{{Zone: zone, Classes: []counting.Class{counting.Person}}}}
	log := slog.New(slog.DiscardHandler)
	r := &crowdRun{Scene: street, t: t, policy: p, next: time.Minute, raise: raise}
	o := opener.New(c, p.MaxPixels(), (*exec.Cmd).Start, io.Discard, log)
	r.camera = sensor.NewCamera(c, p, opener.Local{Opener: o}, func() time.Duration { return time.Duration(r.now.Load()) }, log)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.camera.Open = func(context.Context) (source.Pictures, error) {
		if r.now.Load() > 0 { // the scene has ended
			cancel()
			return nil, context.Canceled
		}
		return r, nil
	}
	synced := new(atomic.Bool)
	synced.Store(true)
	if r.store, err = publisher.OpenStore(filepath.Join(t.TempDir()), p, clock.Clock{Floor: clockFloor}, synced); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.store.Close() })
	r.camera.Run(ctx)
	return r
}

// A crowd of 25 that comes and goes is told once, and its end once, at most 61 s after
// the true number has crossed the threshold.
func TestACrowdIsToldOnceAndItsEndOnce(t *testing.T) {
	r := runCrowd(t, "calm?seed=3&rate=1&frames=301&crowd=25:60-180", config.NeuralDetector, 20, 10, scene.Camera{})
	t.Log(r.truth, r.told)
}
