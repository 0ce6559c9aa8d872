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

// minReportInterval is the least time between two reports, so that the page gets at
// most ten a second. Chosen by hand.
const minReportInterval = 95 * time.Millisecond

// sketcher counts over the newest layout of the aiming page, and writes reports.
type sketcher struct {
	camera *Camera
	out    *record.Writer
	log    *slog.Logger
	layout atomic.Pointer[record.Layout] // nil: none has arrived yet

	// Of the goroutine of run.
	silhouettes vision.Sketcher
	monitor     health.Monitor
	report      record.Report
	sent        time.Duration                // when the last report was written, on the camera's clock
	masks       [record.MaxMasks]record.Area // of the layout before
}

// readLayouts stores each layout from standard input until its end.
func (a *sketcher) readLayouts() error {
	for {
		l, err := record.ReadLayout(os.Stdin)
		if err != nil {
			return err
		}
		a.layout.Store(l)
	}
}

// run opens the camera, again and again, once the first layout has arrived. It does
// not end: the process does.
func (a *sketcher) run(ctx context.Context) {
	for b := new(backoff); ; {
		wait := minReopenDelay
		if a.layout.Load() != nil {
			begun := time.Now()
			err := a.sketchUntilLost(ctx)
			wait = b.delayAfter(err, time.Since(begun), a.report.Watching)
			b.logLoss(a.log, "camera lost", err)
			a.report.Watching = false
			a.sendReport()
		}
		time.Sleep(wait)
	}
}

// sketchUntilLost opens the camera and sketches until it fails or ctx ends.
func (a *sketcher) sketchUntilLost(ctx context.Context) error {
	s := a.camera
	src, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	if d := s.Config.FrameInterval(); d > 0 {
		src = &source.RateLimiter{Pictures: src, Interval: d}
	}
	w, h := src.Size()
	o := s.buildVisionOpts(w, h)
	o.Sketcher = &a.silhouettes
	if !s.Config.Polled() {
		o.Health = &a.monitor
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

// sketchLayout counts over layout l until a newer one arrives.
func (a *sketcher) sketchLayout(ctx context.Context, src source.Pictures, o vision.Opts, l *record.Layout) error {
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
		a.addToReport(step)
		if now := a.camera.now(); now-a.sent >= minReportInterval {
			c.DrawSketch(&a.report.Sketch)
			a.sent = now
			if err := a.sendReport(); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyLayout replaces the lines, zones, masks and heights of site.toml by those of
// the layout. Streams are named by their index in it. Without following, lines cannot
// be counted and are left out.
func (a *sketcher) applyLayout(o *vision.Opts, l *record.Layout) {
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
	o.Masks = a.camera.policy.CameraMasks(a.camera.Config.Name)
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
		a.silhouettes = vision.Sketcher{} // its blocks may show an area that a new mask covers
		a.monitor.ResetReference()
	}
	if a.monitor.CurrentFault() == counting.ViewMoved { // the layout was drawn over the present view
		a.monitor.ResetReference()
	}
}

// streamID is the stream's name in a layout: its index, two digits.
func streamID(i int) string { return fmt.Sprintf("%02d", i) }

// streamIndex is the index in the name of a stream.
func streamIndex(id string) (i uint8) {
	for _, c := range []byte(id) {
		i = 10*i + c - '0'
	}
	return i
}

// addToReport adds the crossings of a step to the next report and sets the numbers
// in its zones.
func (a *sketcher) addToReport(step vision.Step) {
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

// sendReport writes the report.
func (a *sketcher) sendReport() error {
	err := a.out.WriteRecord(&a.report)
	a.report.NCrossings = 0
	return err
}
