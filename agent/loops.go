package main

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
	"kerb/agent/store"
	"kerb/counting"
	"kerb/counting/loop"
	loopdriver "kerb/drivers/loop"
	"kerb/drivers/loop/street"
)

// edges is what every source of loop edges is to the wiring.
type edges interface {
	loop.Source
	Close() error
}

// loops are the inductive loops of a site with their counter and their open
// windows. The counter runs on the edges' own clock, CLOCK_MONOTONIC.
type loops struct {
	conf  config.Loops
	clock clock.Clock
	fault func(loop.Event) // told at a window's end of the faults that began or ended in it
	log   *slog.Logger
	open  func() (edges, error)

	mu     sync.Mutex
	cutAt  time.Duration    // where the open window shall end, on the edges' clock; 0: not yet
	closed chan []part      // its pieces, when the counter has got there
	parts  []part           // of the open window, from counters that were lost
	alive  bool             // there is a counter
	reason string           // why there is none, or will be none
	faults []loop.Event     // of the open window, not told yet
	total  map[string]int64 // passages per stream since the start, for a summary
}

// part is what one counter saw of one lane in one window.
type part struct {
	counting.Tally
	faults loop.Fault
}

func newLoops(conf config.Loops, clk clock.Clock, fault func(loop.Event), log *slog.Logger) *loops {
	l := &loops{conf: conf, clock: clk, fault: fault, log: log, reason: "starting", closed: make(chan []part, 1), total: map[string]int64{}}
	l.open = func() (edges, error) { return openLoops(conf) }
	return l
}

// openLoops is the visible switch from the words of site.toml to a driver.
func openLoops(conf config.Loops) (edges, error) {
	switch conf.Source {
	case "street":
		pairs, singles := 0, 0
		for _, lane := range conf.Lanes {
			if len(lane.Loops) == 2 {
				pairs++
			} else {
				singles++
			}
		}
		return street.New(street.Opts{Seed: 1, Pairs: pairs, Singles: singles, Realtime: true})
	default:
		lines, err := loopdriver.OpenLines(gpioLines(conf), conf.Debounce)
		if err != nil {
			return nil, fmt.Errorf("%w%s", err, fenced())
		}
		return lines, nil
	}
}

func gpioLines(conf config.Loops) []loopdriver.Line {
	bias := map[string]loopdriver.Bias{"up": loopdriver.PullUp, "down": loopdriver.PullDown, "none": loopdriver.NoBias}
	var lines []loopdriver.Line
	for _, n := range conf.Lines {
		lines = append(lines, loopdriver.Line{Chip: n.Chip, Name: n.GPIO, ActiveHigh: n.ActiveHigh, Bias: bias[n.Bias]})
	}
	return lines
}

// checkLoops lets the counter itself say what it would refuse to count with.
func checkLoops(site *config.Site) error {
	if len(site.Loops.Lanes) == 0 {
		return nil
	}
	if err := loopOpts(site.Loops, nil).Check(); err != nil {
		return site.Wrong("loop", "cannot be counted: "+err.Error(), "mend the lane that it names")
	}
	return nil
}

// loopOpts is the site's loops in the counter's words.
func loopOpts(conf config.Loops, wall func(time.Duration) time.Time) loop.Opts {
	o := loop.Opts{Limits: loop.Default(), Wall: wall}
	if conf.Debounce > 0 {
		o.Limits.Settle = 0
	}
	number := map[string]int{}
	for i, n := range conf.Lines {
		card := loop.Presence
		if n.Pulse {
			card = loop.Pulse
		}
		o.Lines = append(o.Lines, loop.Line{Name: n.Name, Card: card})
		number[n.Name] = i
	}
	for _, n := range conf.Lanes {
		lane := loop.Lane{
			Stream: n.ID, Reverse: n.Reverse, Spacing: n.Spacing, LoopLength: n.LoopLength,
			MeanLength: n.MeanLength, Split: n.Split, Lengths: loop.UK(),
		}
		if n.Lengths == "tls" {
			lane.Lengths = loop.TLS()
		}
		for _, name := range n.Loops {
			lane.Loops = append(lane.Loops, number[name])
		}
		for _, name := range n.Relays {
			lane.Relays = append(lane.Relays, number[name])
		}
		o.Lanes = append(o.Lanes, lane)
	}
	return o
}

func (l *loops) streams() []counting.Stream { return l.conf.Streams() }

// run counts until the context ends. Lines that fail are opened afresh.
func (l *loops) run(ctx context.Context) {
	for again := new(comeback); ctx.Err() == nil; again.rest(ctx) {
		begun := time.Now()
		err := l.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		again.after(err, time.Since(begun), false)
		again.tell(l.log, "loops lost", err, time.Now())
	}
}

// watch opens the lines and counts until they fail or the context ends.
func (l *loops) watch(ctx context.Context) error {
	src, err := l.open()
	if err != nil {
		l.lose("loops_lost")
		return fmt.Errorf("open the loops: %w", err)
	}
	defer src.Close()
	c, err := loop.New(src, loopOpts(l.conf, l.wall))
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
			c.CutAt(l.cutAt)
		}
		l.mu.Unlock()
		step, err := c.Step(ctx)
		l.note(step)
		if err != nil {
			l.leave(c, err)
			return err
		}
	}
}

// note takes over what a step brought.
func (l *loops) note(step loop.Step) {
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
		l.hand(step.Windows)
	}
}

// tell hands on the faults of a window when it ends, not before: a line that
// is no longer silent, told at once, would tell when one vehicle passed.
func (l *loops) tell() {
	l.mu.Lock()
	faults := l.faults
	l.faults = nil
	l.mu.Unlock()
	for _, e := range faults {
		l.log.Warn("loop fault", "stream", e.Stream, "line", e.Line, "fault", e.Fault, "on", e.On)
		l.fault(e)
	}
}

// noteFault tells the platform of a fault.
func noteFault(db *store.Store) func(loop.Event) {
	return func(e loop.Event) {
		db.Note("loop_fault", map[string]any{
			"stream": e.Stream, "line": e.Line, "fault": e.Fault.String(), "on": e.On, "n": e.N,
		})
	}
}

// leave keeps what the counter saw of the open window before its source was
// lost. A window that is waited for gets it at once.
func (l *loops) leave(c *loop.Counter, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive = false
	switch {
	case errors.Is(err, io.EOF):
		l.reason = "ended"
	case l.reason != "stopped":
		l.reason = "loops_lost"
	}
	for _, w := range c.Cut() {
		l.parts = append(l.parts, part{w.Tally(), w.Faults})
	}
	if l.cutAt > 0 {
		l.hand(nil)
	}
}

// hand gives the closed window to whoever waits for it in end.
func (l *loops) hand(ws []loop.Window) {
	for _, w := range ws {
		l.parts = append(l.parts, part{w.Tally(), w.Faults})
	}
	l.closed <- l.parts
	l.parts, l.cutAt = nil, 0
}

func (l *loops) lose(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reason = reason
}

// patience is how long a window's end waits for the counter to get there: the
// driver looks up four times a second.
const patience = 3 * time.Second

// end closes the window of every lane at mono, and waits for the counter,
// which is behind by as long as edges may still come in.
func (l *loops) end(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally {
	r := l.clock.Read()
	l.mu.Lock()
	select {
	case <-l.closed: // of a window that was not waited for any longer
	default:
	}
	if l.alive {
		l.cutAt = max(mono-(r.Mono-r.Awake), 1)
	} else {
		l.hand(nil)
	}
	reason := l.reason
	l.mu.Unlock()
	var parts []part
	select {
	case parts = <-l.closed:
	case <-time.After(patience):
		l.mu.Lock()
		l.cutAt, reason = 0, "stalled"
		l.mu.Unlock()
	}
	l.tell()
	var tallies []counting.Tally
	for _, s := range l.streams() {
		tallies = append(tallies, merge(s, parts, reason, mono, start, end, whole))
	}
	l.mu.Lock()
	if l.alive && l.reason == "starting" {
		l.reason = "loops_lost"
	}
	l.mu.Unlock()
	return tallies
}

// merge makes one window of a stream of what one or more counters saw of it.
func merge(s counting.Stream, parts []part, reason string, mono time.Duration, start, end time.Time, whole time.Duration) counting.Tally {
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
	if t.Quality != counting.OK && t.Reason == "" {
		t.Reason = reason
	}
	return t
}

// wall is the local time at a time of the edges' clock.
func (l *loops) wall(at time.Duration) time.Time {
	r := l.clock.Read()
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
