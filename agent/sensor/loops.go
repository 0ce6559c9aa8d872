package sensor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/source"
	"kerb/counting"
	"kerb/counting/loop"
)

// loops are the inductive loops of a site with their counter and their open
// windows. The counter runs on the edges' own clock, CLOCK_MONOTONIC.
type loops struct {
	conf  config.Loops
	clock clock.Clock
	fault func(loop.Event) // told at a window's end of the faults that began or ended in it
	log   *slog.Logger
	open  func() (source.Edges, error)

	mu     sync.Mutex
	cutAt  time.Duration    // where the open window shall end, on the edges' clock; 0: not yet
	closed chan []part      // its pieces, when the counter has got there
	parts  []part           // of the open window, from counters that were lost
	alive  bool             // there is a counter
	reason counting.Reason  // why there is none, or will be none
	faults []loop.Event     // of the open window, not told yet
	total  map[string]int64 // passages per stream since the start, for a summary
}

// part is what one counter saw of one lane in one window.
type part struct {
	counting.Tally
	faults loop.Fault
}

func NewLoops(conf config.Loops, clk clock.Clock, fault func(loop.Event), log *slog.Logger) *loops {
	l := &loops{conf: conf, clock: clk, fault: fault, log: log, reason: counting.ReasonStarting, closed: make(chan []part, 1), total: map[string]int64{}}
	l.open = func() (source.Edges, error) { return source.OpenLoops(conf) }
	return l
}

func (l *loops) Streams() []counting.Stream { return l.conf.Streams() }

// run counts until the context ends. Lines that fail are opened afresh.
func (l *loops) Run(ctx context.Context) {
	for again := new(retry); ctx.Err() == nil; again.sleep(ctx) {
		begun := time.Now()
		err := l.countUntilLost(ctx)
		if ctx.Err() != nil {
			return
		}
		again.delayAfter(err, time.Since(begun), false)
		again.logLoss(l.log, "loops lost", err, time.Now())
	}
}

// countUntilLost opens the lines and counts until they fail or the context ends.
func (l *loops) countUntilLost(ctx context.Context) error {
	src, err := l.open()
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
	l.alive = true
	l.mu.Unlock()
	l.log.Info("loops open", "lanes", len(l.conf.Lanes))
	for {
		l.mu.Lock()
		if l.cutAt > 0 {
			c.SetWindowEnd(l.cutAt)
		}
		l.mu.Unlock()
		step, err := c.CountBatch(ctx)
		l.noteStep(step)
		if err != nil {
			l.closeCounter(c, err)
			return err
		}
	}
}

// note takes over what a step brought.
func (l *loops) noteStep(step loop.BatchResult) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range step.Events {
		// What a single vehicle does is nobody's event: only faults leave.
		if e.Fault != loop.Slow && e.Fault != loop.Standing {
			l.faults = append(l.faults, e)
		}
	}
	for _, p := range step.Passages {
		l.total[p.Stream]++
	}
	if len(step.Windows) > 0 {
		l.handOver(step.Windows)
	}
}

// reportFaults hands on the faults of a window when it ends, not before: a line that
// is no longer silent, told at once, would tell when one vehicle passed.
func (l *loops) reportFaults() {
	l.mu.Lock()
	faults := l.faults
	l.faults = nil
	l.mu.Unlock()
	for _, e := range faults {
		l.log.Warn("loop fault", "stream", e.Stream, "line", e.Line, "fault", e.Fault, "on", e.On)
		l.fault(e)
	}
}

// closeCounter keeps what the counter saw of the open window before its source was
// lost. A window that is waited for gets it at once.
func (l *loops) closeCounter(c *loop.Counter, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive = false
	switch {
	case errors.Is(err, io.EOF):
		l.reason = counting.ReasonEnded
	case l.reason != counting.ReasonStopped:
		l.reason = counting.ReasonLoopsLost
	}
	for _, w := range c.CloseWindows() {
		l.parts = append(l.parts, part{w.ToTally(), w.Faults})
	}
	if l.cutAt > 0 {
		l.handOver(nil)
	}
}

// handOver gives the closed window to whoever waits for it in end.
func (l *loops) handOver(ws []loop.Window) {
	for _, w := range ws {
		l.parts = append(l.parts, part{w.ToTally(), w.Faults})
	}
	l.closed <- l.parts
	l.parts, l.cutAt = nil, 0
}

func (l *loops) MarkLost(reason counting.Reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reason = reason
}

// patience is how long a window's end waits for the counter to get there: the
// driver looks up four times a second.
const patience = 3 * time.Second

// end closes the window of every lane at mono, and waits for the counter,
// which is behind by as long as edges may still come in.
func (l *loops) CloseWindow(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally {
	r := l.clock.ReadAll()
	l.mu.Lock()
	select {
	case <-l.closed: // of a window that was not waited for any longer
	default:
	}
	if l.alive {
		l.cutAt = max(mono-(r.Mono-r.Awake), 1)
	} else {
		l.handOver(nil)
	}
	reason := l.reason
	l.mu.Unlock()
	var parts []part
	select {
	case parts = <-l.closed:
	case <-time.After(patience):
		l.mu.Lock()
		l.cutAt, reason = 0, counting.ReasonStalled
		l.mu.Unlock()
	}
	l.reportFaults()
	var tallies []counting.Tally
	for _, s := range l.Streams() {
		tallies = append(tallies, merge(s, parts, reason, mono, start, end, whole))
	}
	l.mu.Lock()
	if l.alive && l.reason == counting.ReasonStarting {
		l.reason = counting.ReasonLoopsLost
	}
	l.mu.Unlock()
	return tallies
}

// merge makes one window of a stream of what one or more counters saw of it.
func merge(s counting.Stream, parts []part, reason counting.Reason, mono time.Duration, start, end time.Time, whole time.Duration) counting.Tally {
	t := counting.Tally{Stream: s.ID, Kind: s.Kind, Mono: mono, Start: start.UTC(), End: end.UTC()}
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
	}
	t.Observed = min(t.Observed, end.Sub(start))
	switch missing := whole - t.Observed; {
	case t.Observed <= 0:
		t.Quality = counting.Gap
	case t.Quality == counting.OK && missing > max(whole/100, 250*time.Millisecond):
		t.Quality = counting.Partial
	}
	if t.Quality != counting.OK && t.Reason == counting.NoReason {
		t.Reason = reason
	}
	return t
}

// wallTime is the local time at a time of the edges' clock.
func (l *loops) wallTime(at time.Duration) time.Time {
	r := l.clock.ReadAll()
	return r.Wall.Add(at - r.Awake).Local()
}

func (l *loops) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.total))
	for name, n := range l.total {
		names = append(names, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(names)
	return fmt.Sprint(names)
}
