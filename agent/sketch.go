package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"kerb/agent/aim"
	"kerb/agent/cage"
	"kerb/agent/clock"
	"kerb/counting"
	"kerb/counting/vision"
	"kerb/counting/vision/health"
)

// sketch is the process that sees one camera while it is aimed. It stands
// within the walls of sense: it opens nothing and speaks to nobody. What may be
// seen of the picture leaves on standard output as records of a fixed size, and
// where to count comes in on standard input as others. Only kerb aim starts it.
type sketch struct {
	Camera string `arg:"" help:"Its name in site.toml."`
	inner
}

// sketchEvery is the least time between two reports.
const sketchEvery = 95 * time.Millisecond

func (s *sketch) Run(ctx context.Context) error {
	site, v, log, err := s.enter()
	if err != nil {
		return err
	}
	c, ok := find(site, s.Camera)
	if !ok {
		return usageError("no camera of that name")
	}
	h, err := newHatch(os.NewFile(3, "hatch"))
	if err != nil {
		return err
	}
	sensor := newSensor(c, v.policy, clock.Mono, log)
	if err := sensor.handed(h); err != nil {
		return err
	}
	if c.Model != "" {
		if sensor.model, err = cameraModel(c); err != nil {
			return err
		}
	}
	report, err := cageOf(c).Apply()
	if err != nil {
		return err
	}
	if err := report.Strict(); err != nil && site.Device.Strict {
		return refusedError(err.Error())
	}
	a := &artist{sensor: sensor, pen: aim.NewPen(os.Stdout), log: log}
	gone := make(chan error, 1)
	go func() { gone <- a.listen() }()
	go a.work(ctx)
	return <-gone
}

// artist counts over the newest layout and reports.
type artist struct {
	sensor *sensor
	pen    *aim.Pen
	log    *slog.Logger
	layout atomic.Pointer[aim.Layout]

	sketcher vision.Sketcher
	view     health.Watch
	report   aim.Report
	sent     time.Duration
	masks    [aim.MaxMasks]aim.Area
}

// listen takes layouts until nobody sends any more.
func (a *artist) listen() error {
	for {
		l, err := aim.ReadLayout(os.Stdin)
		if err != nil {
			return err
		}
		a.layout.Store(l)
	}
}

// work opens the camera again and again. It begins with the first layout.
func (a *artist) work(ctx context.Context) {
	for again := new(comeback); ; {
		wait := firstRetry
		if a.layout.Load() != nil {
			begun := time.Now()
			err := a.watch(ctx)
			wait = again.after(err, time.Since(begun), a.report.Watching)
			again.tell(a.log, "camera lost", err, time.Now())
			a.report.Watching = false
			a.tell()
		}
		time.Sleep(wait)
	}
}

func (a *artist) watch(ctx context.Context) error {
	s := a.sensor
	src, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	if d := s.camera.Every(); d > 0 {
		src = &thinner{source: src, every: d}
	}
	w, h := src.Size()
	o := s.opts(w, h)
	o.Sketcher = &a.sketcher
	if !s.camera.Still() {
		o.Health = &a.view
	}
	arena := new(cage.Vault)
	defer arena.Close()
	d, err := s.detector(ctx, w, h, arena)
	if err != nil {
		return err
	}
	defer d.close()
	o.Network, o.Share = d.net, coreShare
	for {
		if err := a.count(ctx, src, o, a.layout.Load()); err != nil {
			return err
		}
	}
}

// count counts over one layout until there is another one.
func (a *artist) count(ctx context.Context, src source, o vision.Opts, l *aim.Layout) error {
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
		if skipped(err) {
			a.report.Bad++
			continue
		}
		if err != nil {
			return err
		}
		a.report.Pictures++
		a.report.Watching, a.report.Fault = true, uint8(step.Health)
		a.note(step)
		if now := a.sensor.now(); now-a.sent >= sketchEvery {
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
func (a *artist) apply(o *vision.Opts, l *aim.Layout) {
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
	o.Masks = a.sensor.policy.Masks(a.sensor.camera.Name)
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
func (a *artist) note(step vision.Step) {
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

func (a *artist) tell() error {
	err := a.pen.Write(&a.report)
	a.report.N = 0
	return err
}
