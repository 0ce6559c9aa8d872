package loop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"kerb/counting"
)

// BatchResult is the result of counting one batch of edges. Its slices are valid until
// the next batch.
type BatchResult struct {
	At       time.Duration // on the edges' clock; everything before it is decided
	Passages []counting.Crossing
	Events   []Event
	Windows  []Window // one per lane, in order, when the end set with SetWindowEnd was reached; else none
}

// SetWindowEnd sets the end of the current windows, on the edges' clock. CountBatch stops
// there and returns the windows; until the next call the new windows have no
// end. A change belongs to the window in which its line came to rest, a passage
// to the window in which it was complete.
func (c *Counter) SetWindowEnd(end time.Duration) { c.windowEnd = end }

// CountBatch reads edges once, if none are left from before, and counts them up to the
// end of the window at most. io.EOF: the recording has ended, and all of it has
// been returned; CloseWindows gives the last windows. Any other error ends the
// source. It does not allocate.
func (c *Counter) CountBatch(ctx context.Context) (BatchResult, error) {
	clear(c.passages) // no passage and no count stays until others take its place
	clear(c.windows)
	c.passages, c.events, c.windows = c.passages[:0], c.events[:0], c.windows[:0]
	if c.ended {
		return BatchResult{At: c.clock}, c.err
	}
	if c.head == c.tail && c.err == nil && !c.windowPending() {
		c.readBatch(ctx)
	}
	for c.head < c.tail {
		e := c.buf[c.head]
		if e.Line < 0 || e.Line >= len(c.inputs) {
			c.ended, c.err = true, fmt.Errorf("edge of line %d: there are lines 0–%d", e.Line, len(c.inputs)-1)
			return c.collectResult(), c.err
		}
		c.openAt(e.At)
		if c.advanceTo(e.At - c.limits.Settle) {
			return c.collectResult(), nil
		}
		c.addEdge(e)
		c.head++
	}
	lag := c.limits.Settle
	if errors.Is(c.err, io.EOF) {
		lag = 0
	}
	if c.opened && c.advanceTo(c.watermark-lag) {
		return c.collectResult(), nil
	}
	if errors.Is(c.err, io.EOF) {
		for i := range c.lanes { // no further edge can pair the presences that wait
			c.lanes[i].resolveQueues(c, never)
		}
	}
	if c.ended = c.err != nil; c.ended && len(c.passages)+len(c.events) == 0 {
		return c.collectResult(), c.err
	}
	return c.collectResult(), nil
}

// windowPending is true when the last batch stopped at a window's end before its
// watermark.
func (c *Counter) windowPending() bool {
	return c.opened && c.windowEnd != never && c.windowEnd <= c.watermark-c.limits.Settle
}

// readBatch fills the buffer from the source.
func (c *Counter) readBatch(ctx context.Context) {
	n, now, err := c.src.ReadEdges(ctx, c.buf[:])
	c.head, c.tail, c.err = 0, n, err
	c.watermark = max(c.watermark, now)
	if n == 0 && err == nil {
		c.openAt(now)
	}
}

// openAt starts observation at the first time that an edge or a watermark gives.
func (c *Counter) openAt(at time.Duration) {
	if c.opened {
		return
	}
	c.opened, c.origin, c.clock = true, at, at-c.limits.Settle
	for i := range c.inputs {
		in := &c.inputs[i]
		in.coveredTo, in.observedTo, in.silentSince, in.recheckAt = at, at, at, at
		if in.day.sampleStart = at; c.wall != nil && c.limits.Daily && in.card == Presence && !in.relay && in.lane >= 0 {
			in.day.due = at + sampleLength - time.Duration(c.wall(at).UnixNano())%sampleLength
		}
		c.scheduleInput(in)
	}
	for i := range c.lanes {
		c.lanes[i].observedTo, c.lanes[i].window.Start = at, at
	}
}

// advanceTo moves the lagging clock to t and handles all deadlines up to there, in
// order of time. It stops, and is true, at the end of a window.
func (c *Counter) advanceTo(t time.Duration) bool {
	for {
		next := min(c.nextDue, c.windowEnd)
		if next > t {
			c.clock = max(c.clock, t)
			return false
		}
		c.clock = max(c.clock, next)
		if c.windowEnd <= c.nextDue {
			c.closeWindowsAt(c.windowEnd)
			return true
		}
		c.runDue(next)
	}
}

// runDue handles the deadlines of all inputs and lanes that are due at t.
func (c *Counter) runDue(t time.Duration) {
	for i := range c.inputs {
		if c.inputs[i].due <= t {
			c.runInput(&c.inputs[i], t)
		}
	}
	for i := range c.lanes {
		if c.lanes[i].due <= t {
			c.lanes[i].resolveQueues(c, t)
		}
	}
	c.nextDue = never
	for i := range c.inputs {
		c.nextDue = min(c.nextDue, c.inputs[i].due)
	}
	for i := range c.lanes {
		c.nextDue = min(c.nextDue, c.lanes[i].due)
	}
}

// closeWindowsAt ends the windows at t and opens the next ones.
func (c *Counter) closeWindowsAt(t time.Duration) {
	c.windowEnd = never
	for i := range c.lanes {
		l := &c.lanes[i]
		for _, n := range l.Loops {
			if in := &c.inputs[n]; in.isTrusted() {
				in.addObserved(&l.window, t, in.on)
			}
		}
		if l.trustedLoops > 0 {
			l.window.Observed += max(0, t-l.observedTo)
		}
		l.window.End = t
		l.window.setQuality()
		c.windows = append(c.windows, l.window)
		l.window, l.observedTo, l.total = l.newWindow(t), t, 0
		for _, n := range l.Loops {
			in := &c.inputs[n]
			in.coveredTo, in.observedTo, in.bitsCounted, in.missedReported = t, t, 0, false
			l.window.Faults |= in.faults
		}
		for _, n := range l.Relays {
			c.inputs[n].missedReported = false
		}
	}
}

// CloseWindows closes the windows where the counter's clock stands: at the last watermark
// less Limits.Settle. It is for the last, short windows of a recording or of a
// source that was lost. The slice is valid until the next batch or call.
func (c *Counter) CloseWindows() []Window {
	c.windows = c.windows[:0]
	c.closeWindowsAt(c.clock)
	return c.windows
}

// collectResult is the result of the batch so far.
func (c *Counter) collectResult() BatchResult {
	return BatchResult{At: c.clock, Passages: c.passages, Events: c.events, Windows: c.windows}
}
