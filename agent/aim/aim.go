// Package aim is the commissioning page: an engineer with a telephone sees
// silhouettes of a camera's objects, draws lines and zones over them, watches
// the live counts, and compares them with a tally by hand.
//
// It refuses to hold a picture: the process that reads the camera sends
// record.Report values of fixed size, no finer than a counting.Sketch, and this
// package draws them. It opens no file and no camera; results to keep go
// to the functions of Opts.
//
// Login needs a one-time code that is shown on the device itself. At most two
// viewers are logged in at a time, and the session ends when the policy says
// so. Every request must come to the device's numeric address, from its own
// network, and from the page.
package aim

import (
	"context"
	"errors"
	"net"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"kerb/agent/aim/record"
	"kerb/counting"
)

// Plan is the layout of one camera as the page edits it. Points are x and y
// from 0 (left, top) to 1 (right, bottom).
type Plan struct {
	Lines   []Line   `json:"lines"`
	Zones   []Zone   `json:"zones"`
	Masks   []Mask   `json:"masks"`
	Heights []Height `json:"heights"` // none or two
}

// Line is a counting line.
type Line struct {
	ID      string   `json:"id"`
	From    Point    `json:"from"`
	To      Point    `json:"to"`
	Classes []string `json:"classes"`
}

// Zone is an area in which the objects present are counted.
type Zone struct {
	ID      string   `json:"id"`
	Polygon []Point  `json:"polygon"`
	Classes []string `json:"classes"`
}

// Mask is an area that the detector does not see.
type Mask struct {
	Polygon []Point `json:"polygon"`
}

// Height is an upright object of known height, which gives the scale of the
// picture.
type Height struct {
	Foot   Point   `json:"foot"`
	Top    Point   `json:"top"`
	Metres float64 `json:"metres"`
}

// Point is x and y, as fractions of the picture.
type Point [2]float64

// Complaint is one mistake in a plan. The page has words of its own for those whose
// rule or key it knows, and shows Want and Hint of the others.
type Complaint struct {
	Key     string   `json:"key"`  // in the camera, such as line[1].id; or of the file; empty: the whole plan
	Want    string   `json:"want"` // the allowed values
	Hint    string   `json:"hint,omitempty"`
	Rule    string   `json:"rule,omitempty"`    // the key in the policy, such as clear.overlap; empty: no rule of the policy
	Class   string   `json:"class,omitempty"`   // of clear.overlap: the coarse class
	Streams []string `json:"streams,omitempty"` // the lines and zones that it is about
	Limit   int      `json:"limit,omitempty"`   // of clear.overlap: how many of them may count the class; 0: whole or in parts, not both
}

// Opts configures a Server. All functions must be set. They must not
// call methods of the Server, which may hold its lock.
type Opts struct {
	Device, Camera  string
	Classes         []string             // the classes that the policy allows
	Kinds           []string             // of streams that it allows to draw: line, zone
	Overlap         int                  // in how many lines and zones it lets one object be counted
	Sketches        bool                 // the policy allows silhouettes
	Plan            Plan                 // the plan in site.toml
	KeepMasks       bool                 // the policy requires masks: those in site.toml stay in force until others are saved
	Now             func() time.Duration // monotonic
	Until           time.Duration        // on the clock of Now: the end of the session
	Latest          time.Duration        // likewise: to which the session can be extended; not before Until
	Status          http.Handler         // of the status page, for viewers who are logged in, below /status/; nil: there is none
	StatusForbidden bool                 // the policy forbids the status page: the page says so in place of the link
	FirstCode       string               // the first login code, as ParseCode returns it; "": one is drawn
	HostNames       []string             // names of this device that a browser may use, such as pole-7.local

	// AnnounceCode receives every new login code, with the id that stands for it in the
	// audit log.
	AnnounceCode func(code, id string)
	// LogAction logs an action: entered, changed, undone, accepted or locked. id is
	// that of the login code, "" for locked, and for a result that was stored because the
	// session ended.
	LogAction func(id, what string)
	// LogExtension logs that the session lasts until a later time, on the clock of Now.
	LogExtension func(id string, until time.Duration)
	// CheckPlan returns the mistakes of a plan, as kerb check does.
	CheckPlan func(Plan) []Complaint
	// SavePlan writes a plan without mistakes to site.toml.
	SavePlan func(Plan) error
	// UndoPlan restores the plan before the last one that was written, and returns it.
	UndoPlan func() (Plan, error)
	// StoreResult stores the result of a tally by hand.
	StoreResult func(Result) error
}

// Server is one aiming session. Its methods may be called from several
// goroutines.
type Server struct {
	o       Opts
	login   *login
	layouts chan *record.Layout
	ended   chan struct{}
	endOnce sync.Once
	why     string

	mu         sync.Mutex
	plan       Plan
	inFile     []Mask // the masks in site.toml
	number     uint32 // of the plan and its layout; it grows with every change
	saved      bool
	undoes     int
	lastReport *record.Report
	reportedAt time.Duration
	counts     map[string]*[counting.Classes][counting.Directions]int
	tally      *tally
	results    []LineResult  // the last one of each line, oldest first
	until      time.Duration // the end of the session
	trouble    string        // why the camera delivers nothing, if that is known
	streams    map[chan []byte]*viewer
	drawer     Drawer
}

// New returns a server with its first login code and the layout of the plan.
// The session begins at once.
func New(o Opts) *Server {
	s := &Server{
		o: o, layouts: make(chan *record.Layout, 1), ended: make(chan struct{}), plan: o.Plan, inFile: o.Plan.Masks, saved: true, until: o.Until,
		counts: map[string]*[counting.Classes][counting.Directions]int{}, streams: map[chan []byte]*viewer{},
	}
	s.login = newLogin(o.Now, o.AnnounceCode, o.FirstCode)
	s.publishLayout()
	return s
}

// LayoutUpdates returns the channel of layouts for the sensing process. It holds the
// newest one only; the first is that of the file.
func (s *Server) LayoutUpdates() <-chan *record.Layout { return s.layouts }

// EndSession ends the session. why is one word: ended, expired, locked, stopped,
// closed (by the policy's hours) or failed. Only the first call has an effect. A tally
// that runs is finished, and its result shown and stored.
func (s *Server) EndSession(why string) {
	s.endOnce.Do(func() {
		s.keepRunningTally()
		s.mu.Lock()
		s.why = why
		s.mu.Unlock()
		close(s.ended)
	})
}

// The resources that an unknown peer on the same network can use. Chosen by hand.
const (
	headerTime  = 5 * time.Second
	requestTime = 10 * time.Second
	idleTime    = 30 * time.Second
	headerBytes = 8 << 10
	bodyBytes   = 64 << 10
	connections = 36

	shutdownTime = 2 * time.Second        // for answers under way when the session ends
	expiryPoll   = 200 * time.Millisecond // between two looks at the monotonic clock
)

// Serve serves the page on a listener until the session or ctx ends, and
// returns the word with which it ended. The error is that of the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler: s.newHandler(), ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: requestTime,
		IdleTimeout: idleTime, MaxHeaderBytes: headerBytes, BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog: discardLog(),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(limitListener(l, connections)) }()
	var err error
	select {
	case <-s.ended:
	case err = <-failed:
		s.EndSession("failed")
	case <-ctx.Done():
		s.EndSession("stopped")
	case <-s.waitForExpiry(ctx):
		s.EndSession("expired")
	}
	cancel()
	bye, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
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

// waitForExpiry returns a channel that is closed at the end of the session's time. It polls the
// monotonic clock of Opts.Now, so that a step of the wall clock has no effect.
func (s *Server) waitForExpiry(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		for left := s.timeLeft(); left > 0 && ctx.Err() == nil; left = s.timeLeft() {
			select {
			case <-time.After(min(left, expiryPoll)):
			case <-ctx.Done():
			}
		}
		close(done)
	}()
	return done
}

// publishLayout gives the plan a new number, sends its layout to the sensing
// process, and resets counts and tally. The caller holds the lock, or no
// goroutine runs yet.
func (s *Server) publishLayout() {
	s.number++
	shown := s.plan
	if s.o.KeepMasks && !s.saved {
		shown.Masks = append(append([]Mask{}, s.inFile...), s.plan.Masks...)
		shown.Masks = shown.Masks[:min(len(shown.Masks), record.MaxMasks)]
	}
	l := shown.toLayout(s.number)
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
	s.results = slices.DeleteFunc(s.results, func(r LineResult) bool {
		return !slices.ContainsFunc(s.plan.Lines, func(l Line) bool { return reflect.DeepEqual(l, r.of) })
	})
}

// SetTrouble sets the reason, for people, why the camera delivers nothing. It is shown
// while that lasts.
func (s *Server) SetTrouble(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = reason
}

// HandleReport processes one report of the sensing process: it counts the crossings of
// the current layout and sends the sketch to all streams. A stream that has not
// sent its last sketch yet skips it.
func (s *Server) HandleReport(r *record.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastReport, s.reportedAt = r, s.o.Now()
	if t := s.tally; t != nil && t.ended == 0 && r.Watching && r.Sketch.View.Mean > 0 {
		t.shade, t.shades = t.shade+int(r.Sketch.View.Mean), t.shades+1
	}
	if r.Layout == s.number {
		for _, p := range r.Crossings[:r.NCrossings] {
			s.countPass(p)
		}
	}
	if !s.o.Sketches || r.Sketch.Width == 0 || len(s.streams) == 0 {
		return
	}
	jpeg, err := s.drawer.DrawJPEG(&r.Sketch)
	if err != nil {
		return // a canvas too large for JPEG, which no valid sketch has
	}
	for c := range s.streams {
		select {
		case <-c:
		default:
		}
		c <- append([]byte(nil), jpeg...)
	}
}

// countPass adds one crossing to the live counts, and to the running tally of
// its line.
func (s *Server) countPass(p record.Crossing) {
	if int(p.Line) >= len(s.plan.Lines) {
		return
	}
	line := s.plan.Lines[p.Line]
	class, ok := line.countedClass(counting.Class(p.Class))
	if !ok {
		return
	}
	s.counts[line.ID][class][p.Dir]++
	if s.tally != nil && s.tally.line == line.ID && s.tally.ended == 0 {
		s.tally.device = append(s.tally.device, passage{class: class, dir: counting.Direction(p.Dir), at: s.o.Now()})
	}
}

// countedClass returns the class under which the line counts an object: its
// own, or the coarse one.
func (l Line) countedClass(c counting.Class) (counting.Class, bool) {
	for _, try := range []counting.Class{c, c.WithoutSplit()} {
		for _, name := range l.Classes {
			if name == try.String() {
				return try, true
			}
		}
	}
	return c, false
}

// pointLine is the length of a line whose ends are equal, in widths of the
// picture: vision refuses a line of length 0.
const pointLine = 1e-6

// toLayout converts the plan to numbers for the sensing process. It leaves out
// elements above the bounds, and moves points into the picture; the check of the
// plan reports both.
func (p Plan) toLayout(number uint32) *record.Layout {
	l := &record.Layout{Number: number}
	clip := func(v float64) float32 { return float32(min(max(v, 0), 1)) }
	for _, line := range p.Lines[:min(len(p.Lines), record.MaxLines)] {
		at := [4]float32{clip(line.From[0]), clip(line.From[1]), clip(line.To[0]), clip(line.To[1])}
		if at[0] == at[2] && at[1] == at[3] { // keeps its index, and counts no object
			at = [4]float32{0, 0, pointLine, 0}
		}
		l.Lines[l.NLines] = at
		l.NLines++
	}
	area := func(ps []Point) (a record.Area) {
		for _, q := range ps[:min(len(ps), record.MaxCorners)] {
			a.At[a.N] = [2]float32{clip(q[0]), clip(q[1])}
			a.N++
		}
		a.N = max(a.N, 3)
		return a
	}
	for _, z := range p.Zones[:min(len(p.Zones), record.MaxZones)] {
		l.Zones[l.NZones] = area(z.Polygon)
		l.NZones++
	}
	for _, m := range p.Masks[:min(len(p.Masks), record.MaxMasks)] {
		l.Masks[l.NMasks] = area(m.Polygon)
		l.NMasks++
	}
	if len(p.Heights) == 2 {
		for i, h := range p.Heights {
			l.Heights[i] = [5]float32{clip(h.Foot[0]), clip(h.Foot[1]), clip(h.Top[0]), clip(h.Top[1]), float32(min(max(h.Metres, record.MinHeight), record.MaxHeight))}
		}
		l.NHeights = 2
	}
	return l
}
