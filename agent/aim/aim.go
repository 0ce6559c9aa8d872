// Package aim is the commissioning page: an engineer with a telephone sees
// silhouettes of what a camera's detector sees, draws lines and zones over
// them, watches them count, and holds the counts against a tally by hand.
//
// It is never shown a picture. The process that sees the camera sends Reports,
// which have a fixed size and hold nothing finer than a counting.Sketch; this
// package draws them. It opens no file and no camera: what is to be kept is
// handed to whoever serves the page.
//
// The page is let out only to who has read a code off the device itself, at
// most two at a time, and for so long as the policy lets it.
package aim

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"kerb/counting"
)

// Plan is what is counted in one camera's picture, as the page draws it.
// Points are x and y from 0 (left, top) to 1 (right, bottom).
type Plan struct {
	Lines   []Line   `json:"lines"`
	Zones   []Zone   `json:"zones"`
	Masks   []Mask   `json:"masks"`
	Heights []Height `json:"heights"` // none or two
}

// Line is a line to be crossed.
type Line struct {
	ID      string   `json:"id"`
	From    Point    `json:"from"`
	To      Point    `json:"to"`
	Classes []string `json:"classes"`
}

// Zone is an area to stand in.
type Zone struct {
	ID      string   `json:"id"`
	Polygon []Point  `json:"polygon"`
	Classes []string `json:"classes"`
}

// Mask is an area that nobody sees.
type Mask struct {
	Polygon []Point `json:"polygon"`
}

// Height is something upright of known height, which gives the scale.
type Height struct {
	Foot   Point   `json:"foot"`
	Top    Point   `json:"top"`
	Metres float64 `json:"metres"`
}

// Point is x and y.
type Point [2]float64

// Complaint is one thing wrong with a plan.
type Complaint struct {
	Key  string `json:"key"` // such as camera[0].line[1].id; empty for the whole
	Want string `json:"want"`
	Hint string `json:"hint,omitempty"`
}

// Opts says whose page it is and who keeps what comes of it.
type Opts struct {
	Device, Camera string
	Classes        []string             // what the policy lets be counted
	Sketches       bool                 // the policy lets silhouettes be shown
	Plan           Plan                 // as it stands in the file
	Now            func() time.Duration // monotonic
	Until          time.Duration        // on that clock: when the page ends

	// Code is told of every new code and of the name under which the account
	// knows it.
	Code func(code, id string)
	// Note enters what was done: entered, changed, undone, accepted, locked.
	Note func(id, what string)
	// Check says what is wrong with a plan, as kerb check would.
	Check func(Plan) []Complaint
	// Save writes a plan that has nothing wrong; Undo takes the last one back
	// and returns the plan before it.
	Save func(Plan) error
	Undo func() (Plan, error)
	// Accept keeps what a tally by hand has shown.
	Accept func(Result) error
}

// Server is one session of aiming.
type Server struct {
	o       Opts
	door    *door
	layouts chan *Layout
	ended   chan struct{}
	end     sync.Once
	why     string

	mu     sync.Mutex
	plan   Plan
	number uint32 // of the plan, and of its layout
	saved  bool
	undoes int
	last   *Report
	heard  time.Duration
	counts map[string]*[counting.Classes][counting.Directions]int
	tally  *tally
	screen map[chan []byte]*guest
	drawer Drawer
}

// New is a session that begins now.
func New(o Opts) *Server {
	s := &Server{
		o: o, layouts: make(chan *Layout, 1), ended: make(chan struct{}), plan: o.Plan, saved: true,
		counts: map[string]*[counting.Classes][counting.Directions]int{}, screen: map[chan []byte]*guest{},
	}
	s.door = newDoor(o.Now, o.Code)
	s.lay()
	return s
}

// Layouts are what the process that sees is to count over: the newest one
// only, first the one that the file holds.
func (s *Server) Layouts() <-chan *Layout { return s.layouts }

// End ends the session. Why is one word: ended, expired, locked, stopped.
func (s *Server) End(why string) {
	s.end.Do(func() {
		s.why = why
		close(s.ended)
	})
}

// The bounds of what a stranger on the same wire can take.
const (
	headerTime  = 5 * time.Second
	requestTime = 10 * time.Second
	idleTime    = 30 * time.Second
	headerBytes = 8 << 10
	bodyBytes   = 64 << 10
	connections = 36
)

// Serve serves the page on a listener until the session ends or the context
// does, and says in a word why it ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: requestTime,
		IdleTimeout: idleTime, MaxHeaderBytes: headerBytes, BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog: silent(),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(limited(l, connections)) }()
	var err error
	select {
	case <-s.ended:
	case err = <-failed:
		s.End("failed")
	case <-ctx.Done():
		s.End("stopped")
	case <-s.expiry(ctx):
		s.End("expired")
	}
	cancel()
	bye, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer done()
	if server.Shutdown(bye) != nil {
		_ = server.Close()
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	<-s.ended
	return s.why, err
}

// expiry is closed when the time is up on the monotonic clock, whatever the
// clock on the wall does meanwhile.
func (s *Server) expiry(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		for s.o.Now() < s.o.Until && ctx.Err() == nil {
			select {
			case <-time.After(min(s.o.Until-s.o.Now(), 200*time.Millisecond)):
			case <-ctx.Done():
			}
		}
		close(done)
	}()
	return done
}

// lay hands the plan on to the process that sees. It is called under the lock,
// or before there is anybody.
func (s *Server) lay() {
	s.number++
	l := s.plan.layout(s.number)
	select {
	case <-s.layouts:
	default:
	}
	s.layouts <- l
	s.counts = map[string]*[counting.Classes][counting.Directions]int{}
	for _, line := range s.plan.Lines {
		s.counts[line.ID] = new([counting.Classes][counting.Directions]int)
	}
	s.tally = nil
}

// Take is told what the process that sees has to say.
func (s *Server) Take(r *Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.heard = r, s.o.Now()
	if r.Layout == s.number {
		for _, p := range r.Passes[:r.N] {
			s.pass(p)
		}
	}
	if !s.o.Sketches || r.Sketch.Width == 0 || len(s.screen) == 0 {
		return
	}
	jpeg, err := s.drawer.Draw(&r.Sketch)
	if err != nil {
		return // a canvas too large for JPEG: no sketch is
	}
	for c := range s.screen {
		select {
		case <-c:
		default:
		}
		c <- append([]byte(nil), jpeg...)
	}
}

// pass counts one crossing.
func (s *Server) pass(p Pass) {
	if int(p.Line) >= len(s.plan.Lines) {
		return
	}
	line := s.plan.Lines[p.Line]
	class, ok := line.counts(counting.Class(p.Class))
	if !ok {
		return
	}
	s.counts[line.ID][class][p.Dir]++
	if s.tally != nil && s.tally.line == line.ID && s.tally.ended == 0 {
		s.tally.device = append(s.tally.device, press{class: class, dir: counting.Direction(p.Dir), at: s.o.Now()})
	}
}

// counts is the class as which the line counts an object.
func (l Line) counts(c counting.Class) (counting.Class, bool) {
	for _, try := range []counting.Class{c, c.WithoutSplit()} {
		for _, name := range l.Classes {
			if name == try.String() {
				return try, true
			}
		}
	}
	return c, false
}

// layout is the plan as numbers. What is too much is left out here and told by
// Check.
func (p Plan) layout(number uint32) *Layout {
	l := &Layout{Number: number}
	clip := func(v float64) float32 { return float32(min(max(v, 0), 1)) }
	for _, line := range p.Lines[:min(len(p.Lines), MaxLines)] {
		at := [4]float32{clip(line.From[0]), clip(line.From[1]), clip(line.To[0]), clip(line.To[1])}
		if at[0] == at[2] && at[1] == at[3] { // keeps its number, and counts nothing
			at = [4]float32{0, 0, 1e-6, 0}
		}
		l.Lines[l.NLines] = at
		l.NLines++
	}
	area := func(ps []Point) (a Area) {
		for _, q := range ps[:min(len(ps), MaxCorners)] {
			a.At[a.N] = [2]float32{clip(q[0]), clip(q[1])}
			a.N++
		}
		a.N = max(a.N, 3)
		return a
	}
	for _, z := range p.Zones[:min(len(p.Zones), MaxZones)] {
		l.Zones[l.NZones] = area(z.Polygon)
		l.NZones++
	}
	for _, m := range p.Masks[:min(len(p.Masks), MaxMasks)] {
		l.Masks[l.NMasks] = area(m.Polygon)
		l.NMasks++
	}
	if len(p.Heights) == 2 {
		for i, h := range p.Heights {
			l.Heights[i] = [5]float32{clip(h.Foot[0]), clip(h.Foot[1]), clip(h.Top[0]), clip(h.Top[1]), float32(min(max(h.Metres, 0.5), 20))}
		}
		l.NHeight = 2
	}
	return l
}
