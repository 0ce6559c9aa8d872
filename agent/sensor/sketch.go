package sensor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"kerb/agent/aim/record"
	"kerb/agent/cage"
	"kerb/agent/model"
	"kerb/agent/source"
	"kerb/counting"
	"kerb/counting/vision"
	"kerb/counting/vision/health"
)

// minReportInterval is the least time between two reports.
const minReportInterval = 95 * time.Millisecond

// artist counts over the newest layout and reports.
type Sketcher struct {
	Sensor *Camera
	Pen    *record.Writer
	Log    *slog.Logger
	layout atomic.Pointer[record.Layout]

	sketcher vision.Sketcher
	view     health.Monitor
	report   record.Report
	sent     time.Duration
	masks    [record.MaxMasks]record.Area
}

// listen takes layouts until nobody sends any more.
func (a *Sketcher) ReadLayouts() error {
	for {
		l, err := record.ReadLayout(os.Stdin)
		if err != nil {
			return err
		}
		a.layout.Store(l)
	}
}

// work opens the camera again and again. It begins with the first layout.
func (a *Sketcher) Run(ctx context.Context) {
	for again := new(retry); ; {
		wait := minRetryDelay
		if a.layout.Load() != nil {
			begun := time.Now()
			err := a.sketchUntilLost(ctx)
			wait = again.delayAfter(err, time.Since(begun), a.report.Watching)
			again.logLoss(a.Log, "camera lost", err, time.Now())
			a.report.Watching = false
			a.sendReport()
		}
		time.Sleep(wait)
	}
}

func (a *Sketcher) sketchUntilLost(ctx context.Context) error {
	s := a.Sensor
	src, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	if d := s.Config.FrameInterval(); d > 0 {
		src = &source.RateLimiter{Pictures: src, Interval: d}
	}
	w, h := src.Size()
	o := s.visionOpts(w, h)
	o.Sketcher = &a.sketcher
	if !s.Config.Polled() {
		o.Health = &a.view
	}
	arena := new(cage.Vault)
	defer arena.Close()
	d, err := s.chooseDetector(ctx, w, h, arena)
	if err != nil {
		return err
	}
	defer d.Close()
	o.Network, o.NetworkShare = d.Net, model.MaxCoreShare
	for {
		if err := a.sketchLayout(ctx, src, o, a.layout.Load()); err != nil {
			return err
		}
	}
}

// sketchLayout counts over one layout until there is another one.
func (a *Sketcher) sketchLayout(ctx context.Context, src source.Pictures, o vision.Opts, l *record.Layout) error {
	a.applyLayout(&o, l)
	arena := new(cage.Vault)
	defer arena.Close()
	o.Memory = arena.Bytes
	c, err := vision.New(src, o)
	if err != nil {
		return err
	}
	defer c.Close()
	a.report.Layout, a.report.NCrossings = l.Number, 0
	for a.layout.Load() == l {
		step, err := c.Step(ctx)
		if source.IsBadPicture(err) {
			a.report.Undecoded++
			continue
		}
		if err != nil {
			return err
		}
		a.report.Pictures++
		a.report.Watching, a.report.Fault = true, uint8(step.Health)
		a.addStep(step)
		if now := a.Sensor.now(); now-a.sent >= minReportInterval {
			c.DrawSketch(&a.report.Sketch)
			a.sent = now
			if err := a.sendReport(); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyLayout puts the layout in the place of the file's lines. Streams are named by
// their places.
func (a *Sketcher) applyLayout(o *vision.Opts, l *record.Layout) {
	o.Lines, o.Zones, o.Heights = nil, nil, nil
	if o.FollowMax > 0 {
		for i, s := range l.Lines[:l.NLines] {
			o.Lines = append(o.Lines, counting.Line{
				ID: streamID(i), From: counting.Point{X: float64(s[0]), Y: float64(s[1])}, To: counting.Point{X: float64(s[2]), Y: float64(s[3])},
			})
		}
	}
	for i, z := range l.Zones[:l.NZones] {
		o.Zones = append(o.Zones, counting.Zone{ID: streamID(i), Polygon: z.Polygon()})
	}
	o.Masks = a.Sensor.policy.CameraMasks(a.Sensor.Config.Name)
	for _, m := range l.Masks[:l.NMasks] {
		o.Masks = append(o.Masks, m.Polygon())
	}
	for _, h := range l.Heights[:l.NHeights] {
		o.Heights = append(o.Heights, counting.Height{
			Foot: counting.Point{X: float64(h[0]), Y: float64(h[1])}, Top: counting.Point{X: float64(h[2]), Y: float64(h[3])}, Metres: float64(h[4]),
		})
	}
	if a.masks != l.Masks {
		a.masks = l.Masks
		a.sketcher = vision.Sketcher{} // what a mask covered until now is forgotten
		a.view.ResetReference()
	}
	if a.view.CurrentFault() == counting.ViewMoved { // somebody draws over what is to be seen now
		a.view.ResetReference()
	}
}

func streamID(i int) string { return fmt.Sprintf("%02d", i) }

func streamIndex(id string) (i uint8) {
	for _, c := range []byte(id) {
		i = 10*i + c - '0'
	}
	return i
}

// note keeps what a step told for the next report.
func (a *Sketcher) addStep(step vision.Step) {
	for _, x := range step.Crossings {
		if int(a.report.NCrossings) < len(a.report.Crossings) {
			a.report.Crossings[a.report.NCrossings] = record.Crossing{Line: streamIndex(x.Stream), Class: uint8(x.Class), Dir: uint8(x.Dir)}
			a.report.NCrossings++
		}
	}
	for i, z := range step.Zones {
		for c, n := range z.Count {
			a.report.Zones[i][c] = uint8(min(n, 255))
		}
	}
}

func (a *Sketcher) sendReport() error {
	err := a.Pen.WriteRecord(&a.report)
	a.report.NCrossings = 0
	return err
}
