package loop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"kerb/counting"
)

// Step is what one Counter.Step brought. Its slices are valid until the next.
type Step struct {
	At       time.Duration // everything before this time of the edges' clock is decided
	Passages []counting.Crossing
	Events   []Event
	Windows  []Window // one per lane, in order, when the time set with CutAt was reached; else none
}

// CutAt ends the current windows at a time of the edges' clock. The Step that
// reaches it returns the windows and goes no further; without another CutAt
// the new windows have no end. A change belongs to the window in which its
// line came to rest, a passage to the one in which it was complete.
func (c *Counter) CutAt(end time.Duration) { c.cut = end }

// Step reads edges once, if none are left from before, and counts them up to
// the end of the window at most. io.EOF: the recording has ended, and
// everything in it has been returned; Cut gives the last windows. Any other
// error ends the source. It does not allocate.
func (c *Counter) Step(ctx context.Context) (Step, error) {
	c.passages, c.events, c.windows = c.passages[:0], c.events[:0], c.windows[:0]
	if c.done {
		return Step{At: c.clock}, c.err
	}
	if c.head == c.tail && c.err == nil && !c.full() {
		c.read(ctx)
	}
	for c.head < c.tail {
		e := c.buf[c.head]
		if e.Line < 0 || e.Line >= len(c.in) {
			c.done, c.err = true, fmt.Errorf("edge of line %d: there are lines 0–%d", e.Line, len(c.in)-1)
			return c.step(), c.err
		}
		c.begin(e.At)
		if c.advance(e.At - c.limits.Settle) {
			return c.step(), nil
		}
		c.feed(e)
		c.head++
	}
	lag := c.limits.Settle
	if errors.Is(c.err, io.EOF) {
		lag = 0
	}
	if c.open && c.advance(c.seen-lag) {
		return c.step(), nil
	}
	if errors.Is(c.err, io.EOF) {
		for i := range c.lanes { // nothing more can come to what was waiting
			c.lanes[i].resolve(c, never)
		}
	}
	if c.done = c.err != nil; c.done && len(c.passages)+len(c.events) == 0 {
		return c.step(), c.err
	}
	return c.step(), nil
}

// full: the last Step stopped at a window's end before its watermark.
func (c *Counter) full() bool {
	return c.open && c.cut != never && c.cut <= c.seen-c.limits.Settle
}

func (c *Counter) read(ctx context.Context) {
	n, now, err := c.src.ReadEdges(ctx, c.buf[:])
	c.head, c.tail, c.err = 0, n, err
	c.seen = max(c.seen, now)
	if n == 0 && err == nil {
		c.begin(now)
	}
}

// begin opens the books at the first time that is heard of.
func (c *Counter) begin(at time.Duration) {
	if c.open {
		return
	}
	c.open, c.origin, c.clock = true, at, at-c.limits.Settle
	for i := range c.in {
		in := &c.in[i]
		in.from, in.watched, in.quietAt, in.recheck = at, at, at, at
		if in.day.from = at; c.wall != nil && c.limits.Daily && in.card == Presence && !in.relay && in.lane >= 0 {
			in.day.due = at + sampleLength - time.Duration(c.wall(at).UnixNano())%sampleLength
		}
		c.schedule(in)
	}
	for i := range c.lanes {
		c.lanes[i].from, c.lanes[i].win.Start = at, at
	}
}

// advance moves the lagging clock to t and does everything that falls due, in
// order of time. It stops, and is true, at the end of a window.
func (c *Counter) advance(t time.Duration) bool {
	for {
		next := min(c.next, c.cut)
		if next > t {
			c.clock = max(c.clock, t)
			return false
		}
		c.clock = max(c.clock, next)
		if c.cut <= c.next {
			c.close(c.cut)
			return true
		}
		c.fire(next)
	}
}

// fire does what is due at t.
func (c *Counter) fire(t time.Duration) {
	for i := range c.in {
		if c.in[i].due <= t {
			c.tick(&c.in[i], t)
		}
	}
	for i := range c.lanes {
		if c.lanes[i].due <= t {
			c.lanes[i].resolve(c, t)
		}
	}
	c.next = never
	for i := range c.in {
		c.next = min(c.next, c.in[i].due)
	}
	for i := range c.lanes {
		c.next = min(c.next, c.lanes[i].due)
	}
}

// close ends the windows at t and opens the next ones.
func (c *Counter) close(t time.Duration) {
	c.cut = never
	for i := range c.lanes {
		l := &c.lanes[i]
		for _, n := range l.Loops {
			if in := &c.in[n]; in.trusted() {
				in.account(&l.win, t, in.on)
			}
		}
		if l.trusted > 0 {
			l.win.Observed += max(0, t-l.from)
		}
		l.win.End = t
		l.win.judge()
		c.windows = append(c.windows, l.win)
		l.win, l.from = l.blank(t), t
		for _, n := range l.Loops {
			in := &c.in[n]
			in.from, in.watched, in.grid, in.lossy = t, t, 0, false
			l.win.Faults |= in.faults
		}
		for _, n := range l.Relays {
			c.in[n].lossy = false
		}
	}
}

// Cut ends the windows where the clock stands, which is up to now less
// Limits.Settle and what the source has not said yet: for the last, short
// windows of a recording or of a source that was lost. Like a Step's they are
// valid until the next Step or Cut.
func (c *Counter) Cut() []Window {
	c.windows = c.windows[:0]
	c.close(c.clock)
	return c.windows
}

func (c *Counter) step() Step {
	return Step{At: c.clock, Passages: c.passages, Events: c.events, Windows: c.windows}
}
