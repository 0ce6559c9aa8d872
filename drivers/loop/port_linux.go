package loop

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Port is a set of open lines. It is for one goroutine.
type Port struct {
	polls     []unix.PollFd
	buffers   []eventBuffer
	names     []string
	clock     clock
	levels    []Edge // as found at opening, not yet handed over
	watermark time.Duration
}

// eventBuffer is one line's read-ahead.
type eventBuffer struct {
	name    string
	fd      int
	levelAt time.Duration // when the level was read; it speaks for what was before
	seq     uint32        // the kernel's number of the last edge
	events  [64]lineEvent
	head    int
	tail    int
	drained bool // the kernel had no more
}

// Open requests the lines, each with a buffer for 1,024 edges. Times are
// CLOCK_MONOTONIC.
//
// With debounce above 0 the kernel swallows contact bounce of up to that time;
// it does so with its timer wheel, so that edges are late by the debounce time
// and up to a tick (1–10 ms, by kernel), and a short one may vanish. With 0
// every bounce arrives, timed to the microsecond: right where speeds are
// measured, and then whoever counts removes it. An error that wraps ErrRefused
// leaves OpenPins to try.
func Open(found []Found, lines []Line, debounce time.Duration) (*Port, error) {
	p := &Port{clock: newClock()}
	for i, f := range found {
		fd, err := requestLine(f, lines[i], debounce)
		if err != nil {
			p.Close()
			return nil, err
		}
		p.polls = append(p.polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		p.names = append(p.names, f.Name)
		on, err := readLevel(fd)
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("read line %s: %w", f.Name, err)
		}
		now := p.clock.now()
		p.buffers = append(p.buffers, eventBuffer{name: f.Name, fd: fd, levelAt: now})
		p.levels = append(p.levels, Edge{Line: i, On: on, At: now, Level: true})
	}
	return p, nil
}

// Coarse is false: the kernel timed the edges.
func (p *Port) Coarse() bool { return false }

// Lines are the names, in order.
func (p *Port) Lines() []string { return p.names }

// Close gives the lines back.
func (p *Port) Close() error {
	var errs []error
	for _, f := range p.polls {
		errs = append(errs, unix.Close(int(f.Fd)))
	}
	p.polls, p.buffers = nil, nil
	return errors.Join(errs...)
}

// ReadEdges waits for edges, at most Wait, and fills dst in order of time. now
// is when it looked, or the last edge's time if dst was too small. It does not
// allocate. An error wraps ErrGone if the chip has disappeared.
func (p *Port) ReadEdges(ctx context.Context, dst []Edge) (n int, now time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, p.watermark, err
	}
	if len(p.levels) > 0 {
		n = copy(dst, p.levels)
		p.levels = p.levels[n:]
		p.watermark = dst[n-1].At
		return n, p.watermark, nil
	}
	if p.earliestLine() < 0 {
		if err := p.pollLines(); err != nil {
			return 0, p.watermark, err
		}
	}
	now = p.clock.now() // what happens from here on may be missing below
	for i := range p.buffers {
		if err := p.buffers[i].readEvents(); err != nil {
			return 0, p.watermark, err
		}
	}
	for n < len(dst) {
		i := p.earliestLine()
		if i < 0 {
			p.watermark = max(p.watermark, now)
			return n, p.watermark, nil
		}
		dst[n] = p.buffers[i].popEdge(i)
		p.watermark = max(p.watermark, dst[n].At)
		n++
		if p.buffers[i].drained {
			continue
		}
		if err := p.buffers[i].readEvents(); err != nil {
			return n, p.watermark, err
		}
	}
	return n, p.watermark, nil
}

// pollLines returns when there may be an edge, or after Wait.
func (p *Port) pollLines() error {
	if _, err := unix.Poll(p.polls, int(Wait.Milliseconds())); err != nil && err != unix.EINTR {
		return fmt.Errorf("wait for edges: %w", err)
	}
	for i, f := range p.polls {
		if f.Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
			return fmt.Errorf("line %s: %w", p.names[i], ErrGone)
		}
		p.buffers[i].drained = false
	}
	return nil
}

// earliestLine is the line whose next edge is the first of all, or -1. Every line
// has its next edge here or had none when it was last asked.
func (p *Port) earliestLine() int {
	first := -1
	for i := range p.buffers {
		f := &p.buffers[i]
		if f.head < f.tail && (first < 0 || f.events[f.head].ns < p.buffers[first].events[p.buffers[first].head].ns) {
			first = i
		}
	}
	return first
}

// readEvents asks the kernel for more if nothing is left.
func (f *eventBuffer) readEvents() error {
	for f.head == f.tail {
		buf := unsafe.Slice((*byte)(unsafe.Pointer(&f.events)), len(f.events)*eventSize)
		n, err := unix.Read(f.fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			f.drained = true
			return nil
		case err == unix.ENODEV:
			return fmt.Errorf("line %s: %w", f.name, ErrGone)
		case err != nil:
			return fmt.Errorf("read edges of line %s: %w", f.name, err)
		}
		f.head, f.tail = 0, n/eventSize
		f.drained = f.tail < len(f.events)
		for f.head < f.tail && time.Duration(f.events[f.head].ns) <= f.levelAt {
			f.seq = f.events[f.head].lineSeq
			f.head++
		}
		if f.drained {
			return nil
		}
	}
	return nil
}

// popEdge is the next edge of a line that has one.
func (f *eventBuffer) popEdge(line int) Edge {
	ev := &f.events[f.head]
	f.head++
	e := Edge{Line: line, On: ev.id == eventRising, At: time.Duration(ev.ns), Missed: ev.lineSeq - f.seq - 1}
	f.seq = ev.lineSeq
	return e
}
