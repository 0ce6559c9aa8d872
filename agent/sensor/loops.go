package sensor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/source"
	"kerb/counting"
	"kerb/counting/loop"
)

// Loops is the Sensor of the inductive loops of a site. Its counter runs on the
// clock of the edges, CLOCK_MONOTONIC, which stops while the machine is suspended;
// the clock of the windows does not.
type Loops struct {
	conf    config.Loops
	clock   clock.Clock
	onFault func(loop.Event) // called at the end of a window for each fault that began or ended in it
	log     *slog.Logger

	// Open opens the lines. NewLoops sets it; a test may replace it.
	Open func() (source.Edges, error)

	mu        sync.Mutex
	windowEnd time.Duration   // of the open window, on the edges' clock; 0: not requested yet
	closed    chan []part     // gets the parts of the window once the counter is past windowEnd
	parts     []part          // of the open window, from counters whose source was lost
	counting  bool            // there is a counter
	reason    counting.Reason // of time without a counter
	faults    []loop.Event    // of the open window, not reported yet
}

// part is the share of one counter in one window of a lane.
type part struct {
	counting.Tally
	faults loop.Fault
}

// NewLoops returns the Sensor of the site's loops. fault is called at the end of a
// window, not earlier, for each fault of a lane or a line that began or ended in it.
func NewLoops(conf config.Loops, clk clock.Clock, fault func(loop.Event), log *slog.Logger) *Loops {
	l := &Loops{
		conf: conf, clock: clk, onFault: fault, log: log,
		reason: counting.ReasonStarting, closed: make(chan []part, 1),
	}
	l.Open = func() (source.Edges, error) { return source.OpenLoops(conf) }
	return l
}

// Streams returns one stream for each lane.
func (l *Loops) Streams() []counting.Stream { return l.conf.Streams() }

// Run counts until ctx ends. It opens lines that fail again, after a back-off.
func (l *Loops) Run(ctx context.Context) {
	for b := new(backoff); ctx.Err() == nil; b.wait(ctx) {
		begun := time.Now()
		err := l.countUntilLost(ctx)
		if ctx.Err() != nil {
			return
		}
		b.delayAfter(err, time.Since(begun), false)
		b.logLoss(l.log, "loops lost", err)
	}
}

// countUntilLost opens the lines and counts until they fail or ctx ends.
func (l *Loops) countUntilLost(ctx context.Context) error {
	src, err := l.Open()
	if err != nil {
		l.MarkLost(counting.ReasonLoopsLost)
		return fmt.Errorf("open the loops: %w", err)
	}
	defer src.Close()
	c, err := loop.New(src, source.LoopOpts(l.conf, l.wallTime))
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.counting = true
	l.mu.Unlock()
	l.log.Info("loops open", "lanes", len(l.conf.Lanes))
	for {
		l.mu.Lock()
		if l.windowEnd > 0 {
			c.SetWindowEnd(l.windowEnd)
		}
		l.mu.Unlock()
		step, err := c.CountBatch(ctx)
		l.addBatch(step)
		if err != nil {
			l.closeCounter(c, err)
			return err
		}
	}
}

// addBatch adds the result of one batch of edges.
func (l *Loops) addBatch(step loop.BatchResult) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range step.Events {
		// Slow and Standing are about a single vehicle: only faults of the equipment
		// are reported.
		if e.Fault != loop.Slow && e.Fault != loop.Standing {
			l.faults = append(l.faults, e)
		}
	}
	if len(step.Windows) > 0 {
		ipc.WithoutTraces(func() { l.handOverParts(step.Windows) })
	}
}

// reportFaults reports the faults of a window when it ends, not before: the time at
// which a silent line has an edge again is the time at which one vehicle passed.
func (l *Loops) reportFaults() {
	l.mu.Lock()
	faults := l.faults
	l.faults = nil
	l.mu.Unlock()
	for _, e := range faults {
		attrs := []any{"stream", e.Stream, "line", e.Line, "fault", e.Fault, "on", e.On}
		if e.Fault == loop.CardMode && e.On {
			attrs = append(attrs, "do", loop.CardFinding(e.N).Advice())
		}
		l.log.Warn("loop fault", attrs...)
		l.onFault(e)
	}
}

// closeCounter keeps the counter's part of the open window after its source was lost
// with err. Where CloseWindow waits for that window, it gets the part at once.
func (l *Loops) closeCounter(c *loop.Counter, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counting = false
	switch {
	case errors.Is(err, io.EOF):
		l.reason = counting.ReasonEnded
	case l.reason != counting.ReasonStopped:
		l.reason = counting.ReasonLoopsLost
	}
	for _, w := range c.CloseWindows() {
		l.parts = append(l.parts, part{w.ToTally(), w.Faults})
	}
	if l.windowEnd > 0 {
		l.handOverParts(nil)
	}
}

// handOverParts sends the parts of the closed window to CloseWindow. The lock must
// be held.
func (l *Loops) handOverParts(ws []loop.Window) {
	for _, w := range ws {
		l.parts = append(l.parts, part{w.ToTally(), w.Faults})
	}
	clear(ws)
	l.closed <- l.parts
	l.parts, l.windowEnd = nil, 0
}

// MarkLost sets the reason of the time without a counter.
func (l *Loops) MarkLost(reason counting.Reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reason = reason
}

// counterTimeout is how long CloseWindow waits for the counter to pass the end of
// the window. The driver returns at least every 250 ms (loop.MaxWait).
const counterTimeout = 3 * time.Second

// CloseWindow closes the window of every lane at mono. It waits for the counter,
// which is behind by the time in which edges may still arrive; after counterTimeout
// the windows are gaps with the reason stalled.
func (l *Loops) CloseWindow(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally {
	r := l.clock.ReadAll()
	l.mu.Lock()
	select {
	case <-l.closed: // of an earlier window, after its counterTimeout
	default:
	}
	if l.counting {
		l.windowEnd = max(mono-(r.Mono-r.Awake), 1)
	} else {
		l.handOverParts(nil)
	}
	reason := l.reason
	l.mu.Unlock()
	var parts []part
	select {
	case parts = <-l.closed:
	case <-time.After(counterTimeout):
		l.mu.Lock()
		l.windowEnd, reason = 0, counting.ReasonStalled
		select {
		case late := <-l.closed: // they came in this moment, and would wait for the next window
			clear(late)
		default:
		}
		l.mu.Unlock()
	}
	l.reportFaults()
	var tallies []counting.Tally
	for _, s := range l.Streams() {
		tallies = append(tallies, mergeParts(s, parts, reason, mono, start, end, whole))
	}
	clear(parts)
	l.mu.Lock()
	if l.counting && l.reason == counting.ReasonStarting {
		l.reason = counting.ReasonLoopsLost
	}
	l.mu.Unlock()
	return tallies
}

// A window may lack 1 % of its time, and at least 250 ms (one return of the driver),
// and is whole all the same. Chosen by hand.
const (
	maxMissingShare = 100
	minMissing      = 250 * time.Millisecond
)

// mergeParts adds the parts of one or more counters up to one window of stream s. A
// window without observed time is a gap; one that lacks too much of whole is partial.
// Its reason is that of its worst part, or else the argument reason.
func mergeParts(s counting.Stream, parts []part, reason counting.Reason, mono time.Duration, start, end time.Time, whole time.Duration) counting.Tally {
	t := counting.Tally{
		Stream: s.ID, Kind: s.Kind, OneWay: s.OneWay, Mono: mono, Start: start.UTC(), End: end.UTC(),
		Measures: s.Measures, LengthBins: s.LengthBins.Len(),
	}
	for _, c := range s.Classes {
		t.Counted[c] = true
	}
	for _, p := range parts {
		if p.Stream != s.ID {
			continue
		}
		t.Observed += p.Observed
		if p.Quality > t.Quality {
			t.Quality, t.Reason = p.Quality, p.Reason
		}
		for c := range p.Crossings {
			for d, n := range p.Crossings[c] {
				t.Crossings[c][d] += n
			}
		}
		t.Traffic.AddTraffic(&p.Traffic)
	}
	t.Traffic.CoveredOver = min(t.Traffic.CoveredOver, end.Sub(start))
	t.Traffic.Covered = min(t.Traffic.Covered, t.Traffic.CoveredOver)
	t.Observed = min(t.Observed, end.Sub(start))
	switch missing := whole - t.Observed; {
	case t.Observed <= 0:
		t.Quality = counting.Gap
	case t.Quality == counting.OK && missing > max(whole/maxMissingShare, minMissing):
		t.Quality = counting.Partial
	}
	if t.Quality != counting.OK && t.Reason == counting.NoReason {
		t.Reason = reason
	}
	return t
}

// wallTime returns the local wall time at a time of the edges' clock.
func (l *Loops) wallTime(at time.Duration) time.Time {
	r := l.clock.ReadAll()
	return r.Wall.Add(at - r.Awake).Local()
}
