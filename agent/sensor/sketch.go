package sensor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"kerb/agent/aim"
	"kerb/agent/cage"
	"kerb/agent/model"
	"kerb/agent/source"
	"kerb/counting"
	"kerb/counting/vision"
	"kerb/counting/vision/health"
)

// sketchEvery is the least time between two reports.
const sketchEvery = 95 * time.Millisecond

// artist counts over the newest layout and reports.
type Artist struct {
	Sensor *Sensor
	Pen    *aim.Pen
	Log    *slog.Logger
	layout atomic.Pointer[aim.Layout]

	sketcher vision.Sketcher
	view     health.Watch
	report   aim.Report
	sent     time.Duration
	masks    [aim.MaxMasks]aim.Area
}

// listen takes layouts until nobody sends any more.
func (a *Artist) Listen() error {
	for {
		l, err := aim.ReadLayout(os.Stdin)
		if err != nil {
			return err
		}
		a.layout.Store(l)
	}
}

// work opens the camera again and again. It begins with the first layout.
func (a *Artist) Work(ctx context.Context) {
	for again := new(Comeback); ; {
		wait := FirstRetry
		if a.layout.Load() != nil {
			begun := time.Now()
			err := a.watch(ctx)
			wait = again.After(err, time.Since(begun), a.report.Watching)
			again.Tell(a.Log, "camera lost", err, time.Now())
			a.report.Watching = false
			a.tell()
		}
		time.Sleep(wait)
	}
}

func (a *Artist) watch(ctx context.Context) error {
	s := a.Sensor
	src, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	if d := s.Camera.Every(); d > 0 {
		src = &source.Thinner{Source: src, Every: d}
	}
	w, h := src.Size()
	o := s.opts(w, h)
	o.Sketcher = &a.sketcher
	if !s.Camera.Still() {
		o.Health = &a.view
	}
	arena := new(cage.Vault)
	defer arena.Close()
	d, err := s.detector(ctx, w, h, arena)
	if err != nil {
		return err
	}
	defer d.Close()
	o.Network, o.Share = d.Net, model.CoreShare
	for {
		if err := a.count(ctx, src, o, a.layout.Load()); err != nil {
			return err
		}
	}
}

// count counts over one layout until there is another one.
func (a *Artist) count(ctx context.Context, src source.Source, o vision.Opts, l *aim.Layout) error {
	a.apply(&o, l)
	arena := new(cage.Vault)
	defer arena.Close()
	o.Memory = arena.Bytes
	c, err := vision.New(src, o)
	if err != nil {
		return err
	}
	defer c.Close()
	a.report.Layout, a.report.N = l.Number, 0
	for a.layout.Load() == l {
		step, err := c.Step(ctx)
		if source.IsBadPicture(err) {
			a.report.Bad++
			continue
		}
		if err != nil {
			return err
		}
		a.report.Pictures++
		a.report.Watching, a.report.Fault = true, uint8(step.Health)
		a.Note(step)
		if now := a.Sensor.now(); now-a.sent >= sketchEvery {
			c.Sketch(&a.report.Sketch)
			a.sent = now
			if err := a.tell(); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply puts the layout in the place of the file's lines. Streams are named by
// their places.
func (a *Artist) apply(o *vision.Opts, l *aim.Layout) {
	o.Lines, o.Zones, o.Heights = nil, nil, nil
	if o.FollowMax > 0 {
		for i, s := range l.Lines[:l.NLines] {
			o.Lines = append(o.Lines, counting.Line{
				ID: numbered(i), From: counting.Point{X: float64(s[0]), Y: float64(s[1])}, To: counting.Point{X: float64(s[2]), Y: float64(s[3])},
			})
		}
	}
	for i, z := range l.Zones[:l.NZones] {
		o.Zones = append(o.Zones, counting.Zone{ID: numbered(i), Polygon: z.Polygon()})
	}
	o.Masks = a.Sensor.policy.Masks(a.Sensor.Camera.Name)
	for _, m := range l.Masks[:l.NMasks] {
		o.Masks = append(o.Masks, m.Polygon())
	}
	for _, h := range l.Heights[:l.NHeight] {
		o.Heights = append(o.Heights, counting.Height{
			Foot: counting.Point{X: float64(h[0]), Y: float64(h[1])}, Top: counting.Point{X: float64(h[2]), Y: float64(h[3])}, Metres: float64(h[4]),
		})
	}
	if a.masks != l.Masks {
		a.masks = l.Masks
		a.sketcher = vision.Sketcher{} // what a mask covered until now is forgotten
		a.view.Forget()
	}
	if a.view.Is() == health.Moved { // somebody draws over what is to be seen now
		a.view.Forget()
	}
}

func numbered(i int) string { return fmt.Sprintf("%02d", i) }

func ordinal(id string) (i uint8) {
	for _, c := range []byte(id) {
		i = 10*i + c - '0'
	}
	return i
}

// note keeps what a step told for the next report.
func (a *Artist) Note(step vision.Step) {
	for _, x := range step.Crossings {
		if int(a.report.N) < len(a.report.Passes) {
			a.report.Passes[a.report.N] = aim.Pass{Line: ordinal(x.Stream), Class: uint8(x.Class), Dir: uint8(x.Dir)}
			a.report.N++
		}
	}
	for i, z := range step.Zones {
		for c, n := range z.Count {
			a.report.Zones[i][c] = uint8(min(n, 255))
		}
	}
}

func (a *Artist) tell() error {
	err := a.Pen.Write(&a.report)
	a.report.N = 0
	return err
}
