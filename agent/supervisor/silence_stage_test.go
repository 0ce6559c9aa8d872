package supervisor

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"kerb/agent/config"
	"kerb/counting"
	"kerb/counting/loop"
)

// A scene is what a sensor sees while nobody passes, and what one does to it.
type scene struct {
	name     string
	kind     counting.Kind
	loop     bool
	level    int           // of the street, 0–255
	contrast int           // of its stones
	noise    int           // levels from picture to picture
	streaks  int           // of rain in a picture
	lamp     bool          // the one is a lamp that lights the road around it
	dusk     bool          // the street gets dark within a minute, about when the one passes
	dawn     bool          // the street gets light so
	earliest time.Duration // the one passes after this time
	lasts    time.Duration
}

func listScenes() []scene {
	all := []scene{{name: "loop", kind: counting.LoopStream, loop: true, earliest: 12*time.Hour + 30*time.Minute, lasts: time.Second}}
	for _, kind := range []counting.Kind{counting.LineStream, counting.ZoneStream} {
		for _, view := range []scene{
			{name: "still", level: 90, contrast: 60},
			{name: "day", level: 90, contrast: 60, noise: 9},
			{name: "dark", level: 4, contrast: 0, lamp: true},
			{name: "dusk", level: 60, contrast: 40, lamp: true, dusk: true},
			{name: "dawn", level: 60, contrast: 40, lamp: true, dawn: true, earliest: 3 * time.Minute},
			{name: "rain", level: 70, contrast: 50, noise: 7, streaks: 12},
		} {
			view.name, view.kind, view.lasts = kind.String()+", "+view.name, kind, 8*time.Second
			all = append(all, view)
		}
	}
	return all
}

// windows is how many windows of this length a play has: at least two, and for a loop as
// many as there are until its silence is a fault, and an hour more.
func (sc scene) windows(length time.Duration) int {
	if sc.loop {
		return int((sc.earliest + 90*time.Minute) / length)
	}
	return 2 + int((2*time.Minute+sc.earliest)/length)
}

// firstWindow is the length of the first window of a play: with a camera kerb starts five
// minutes before a window ends, and with loops in its middle, so that twelve hours without
// a vehicle do not end at the very instant at which a window does.
func (sc scene) firstWindow(length time.Duration) time.Duration {
	if sc.loop {
		return length / 2
	}
	return min(length, 5*time.Minute)
}

// equip adds the sensor to a site, with one stream.
func (sc scene) equip(site *config.Site) {
	if sc.loop {
		site.Loops = config.Loops{
			Source: "street", Lines: []config.LoopLine{{Name: "L1"}},
			Lanes: []config.LoopLane{{ID: "stream", Loops: []string{"L1"}, LoopLength: 2}},
		}
		return
	}
	camera := config.Camera{Name: "north", Detector: "motion"}
	classes := counting.CoarseClasses()
	if sc.kind == counting.LineStream {
		camera.Lines = []config.Line{{Line: counting.Line{ID: "stream", From: counting.Point{X: 0.5, Y: 0}, To: counting.Point{X: 0.5, Y: 1}}, Classes: classes}}
	} else {
		camera.Zones = []config.Zone{{Zone: counting.Zone{ID: "stream", Polygon: counting.Polygon{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}, {X: 0, Y: 1}}}, Classes: classes}}
	}
	site.Cameras = []config.Camera{camera}
}

// A stage shows a scene at the times that the test allows.
type stage struct {
	scene
	seed   uint64
	street []byte        // without noise
	at     time.Duration // when the one comes
	one    bool

	mu      sync.Mutex
	changed *sync.Cond
	allowed time.Duration // pictures may be shown up to here
	clock   time.Duration // of the play
	shown   time.Duration // of the last picture, or the last edges
	idle    time.Duration // everything up to here was counted
	closing bool          // a window is being closed
	closed  bool
}

func newStage(sc scene, seed uint64, at time.Duration, one bool) *stage {
	s := &stage{scene: sc, seed: seed, at: at, one: one, shown: -time.Second, idle: -1}
	s.changed = sync.NewCond(&s.mu)
	s.street = make([]byte, stageWidth*stageHeight)
	for i := range s.street {
		x, y := i%stageWidth, i/stageWidth
		s.street[i] = byte(s.level + s.contrast*((x/9+y/7)%2) + s.contrast*(x*y%5)/8)
	}
	return s
}

func (s *stage) now() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *stage) setClosing(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = on
	s.changed.Broadcast()
}

// playUntil shows everything up to a time and waits until it is counted.
func (s *stage) playUntil(t *testing.T, end time.Duration) {
	timer := time.AfterFunc(5*time.Minute, func() { s.Close() })
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowed = end
	s.changed.Broadcast()
	for s.idle < end && !s.closed {
		s.changed.Wait()
	}
	if s.closed {
		t.Fatalf("the sensor stands still at %v of %v", s.idle, end)
	}
	s.clock = end
}

const stageWidth, stageHeight = 96, 64

// Size is that of the pictures.
func (s *stage) Size() (w, h int) { return stageWidth, stageHeight }

// Close ends the stage.
func (s *stage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.changed.Broadcast()
	return nil
}

// next is the time of the picture after one: eight a second while the one may be there, and
// in the first minute, else one in two seconds, which is the longest pause of a camera.
func (s *stage) next(last time.Duration) time.Duration {
	if last < 0 {
		return 0
	}
	if last > s.at-5*time.Second && last < s.at+s.lasts+5*time.Second {
		return last + time.Second/8
	}
	return last + 2*time.Second
}

var errStageClosed = errors.New("the play is over")

// ReadInto shows the next picture when it is allowed.
func (s *stage) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	defer context.AfterFunc(ctx, func() { s.Close() })()
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.next(s.shown)
	for at > s.allowed && !s.closed {
		s.idle = s.allowed
		s.changed.Broadcast()
		s.changed.Wait()
	}
	if s.closed {
		return time.Time{}, errStageClosed
	}
	s.shown, s.clock = at, at
	s.draw(dst, at)
	return time.Unix(1e9, 0).Add(at), nil
}

// draw draws the street at a time. Noise and rain depend on the seed and the time alone.
func (s *stage) draw(dst []byte, at time.Duration) {
	r := rand.New(rand.NewPCG(s.seed, uint64(at)))
	s.drawStreet(dst, at)
	for i := 0; s.noise > 0 && i < len(dst); i += 8 {
		for k, bits := 0, r.Uint64(); k < 8; k, bits = k+1, bits>>8 {
			dst[i+k] += byte(bits%256) % byte(2*s.noise+1)
		}
	}
	for range s.streaks {
		x, y := r.IntN(stageWidth), r.IntN(stageHeight-8)
		for k := range 8 {
			dst[(y+k)*stageWidth+x] = 210
		}
	}
	if !s.one || at < s.at || at >= s.at+s.lasts {
		return
	}
	left := int(float64(stageWidth+10)*float64(at-s.at)/float64(s.lasts)) - 10
	for y := 24; y < 48; y++ {
		for x := max(left, 0); x < min(left+10, stageWidth); x++ {
			dst[y*stageWidth+x] = byte(20 + 7*(y%4))
			if s.lamp {
				dst[y*stageWidth+x] = 250
			}
		}
	}
	if s.lamp { // and the road around it
		for i := range dst {
			x, y := i%stageWidth, i/stageWidth
			if d := (x-left)*(x-left) + (y-36)*(y-36); d < 900 {
				dst[i] = byte(min(255, int(dst[i])+60-d/15))
			}
		}
	}
}

// drawStreet draws the street without noise. At dusk its light goes within a minute, at a
// time from half a minute before the one comes until a minute after; at dawn it comes so.
func (s *stage) drawStreet(dst []byte, at time.Duration) {
	copy(dst, s.street)
	if !s.dusk && !s.dawn {
		return
	}
	begin := s.at - time.Minute - 30*time.Second + time.Duration(s.seed*7%90)*time.Second
	light := min(max(float64(at-begin)/float64(time.Minute), 0), 1)
	if s.dusk {
		light = 1 - light
	}
	for i, v := range dst {
		dst[i] = byte(4 + light*float64(v-4))
	}
}

// edges are the contacts of a loop on a stage.
type edges struct {
	s    *stage
	boot time.Duration // monotonic clock of the play's start
}

func (e edges) Close() error { return nil }

// ReadEdges delivers the one's edges, and lets the time pass in steps of a minute.
func (e edges) ReadEdges(ctx context.Context, dst []loop.Edge) (n int, now time.Duration, err error) {
	s := e.s
	defer context.AfterFunc(ctx, func() { s.Close() })()
	s.mu.Lock()
	defer s.mu.Unlock()
	const margin = 100 * time.Millisecond // before a window's end; it ends while it is closed
	limit := s.allowed - margin
	if s.closing {
		limit = s.allowed + margin
	}
	if s.shown >= limit && !s.closed {
		s.idle = s.allowed
		s.changed.Broadcast()
		s.mu.Unlock()
		time.Sleep(time.Millisecond) // as the driver, which returns without an edge
		s.mu.Lock()
		return 0, e.boot + max(s.shown, 0), nil
	}
	if s.closed {
		return 0, 0, errStageClosed
	}
	from, to := s.shown, min(s.shown+time.Minute, limit)
	if s.shown < 0 {
		to = 0
	}
	for _, on := range []bool{true, false} {
		at := s.at
		if !on {
			at += 400 * time.Millisecond
		}
		if s.one && at > from && at <= to {
			dst[n] = loop.Edge{On: on, At: e.boot + at}
			n++
		}
	}
	s.shown, s.clock = to, max(s.clock, min(to, s.allowed))
	return n, e.boot + to, nil
}
