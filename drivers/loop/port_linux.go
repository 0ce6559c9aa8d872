package loop

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Port is a set of open lines with kernel timestamps. It is not safe for
// concurrent use.
type Port struct {
	polls     []unix.PollFd
	buffers   []eventBuffer
	names     []string
	clock     clock
	levels    []Edge // as found at opening, not yet delivered
	watermark time.Duration
}

// eventBuffer holds the events of one line that were read from the kernel.
type eventBuffer struct {
	name    string
	fd      int
	levelAt time.Duration // when the level was read; it replaces earlier events
	seq     uint32        // the kernel's number of the last edge
	events  [64]lineEvent
	head    int
	tail    int
	drained bool // the last read left no event in the kernel
}

// OpenPort requests the lines, each with a kernel buffer for 1,024 edges. found
// and lines are in the same order. Times are CLOCK_MONOTONIC.
//
// With debounce above 0 the kernel removes contact bounce of up to that time. It
// uses its timer wheel, so edges are late by the debounce time and up to a tick
// (1–10 ms, by kernel), and a short one may vanish. With 0 every bounce arrives,
// timed to the microsecond: right where speeds are measured, and the counter
// then removes the bounce. Where an error wraps ErrRefused, OpenPins may still work.
func OpenPort(found []FoundLine, lines []Line, debounce time.Duration) (*Port, error) {
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

// SoftwareTimed is false: the edges have kernel timestamps.
func (p *Port) SoftwareTimed() bool { return false }

// LineNames are the names of the lines, in order.
func (p *Port) LineNames() []string { return p.names }

// Close closes the line requests.
func (p *Port) Close() error {
	var errs []error
	for _, f := range p.polls {
		errs = append(errs, unix.Close(int(f.Fd)))
	}
	p.polls, p.buffers = nil, nil
	return errors.Join(errs...)
}

// ReadEdges waits for edges, at most MaxWait, and fills dst in order of time. now
// is the time of the look, or that of the last edge where dst was too small. It
// does not allocate. An error wraps ErrGone if the chip has disappeared.
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
	now = p.clock.now() // later edges may be missing below
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

// pollLines returns when there may be an edge, or after MaxWait.
func (p *Port) pollLines() error {
	if _, err := unix.Poll(p.polls, int(MaxWait.Milliseconds())); err != nil && err != unix.EINTR {
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

// earliestLine is the line with the earliest next edge, or -1. Every line has its
// next edge in its buffer or had none at the last read.
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

// readEvents fills an empty buffer from the kernel. It skips events before levelAt.
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

// popEdge removes and returns the next edge of a line. The buffer must not be empty.
func (f *eventBuffer) popEdge(line int) Edge {
	ev := &f.events[f.head]
	f.head++
	e := Edge{Line: line, On: ev.id == eventRising, At: time.Duration(ev.ns), Missed: ev.lineSeq - f.seq - 1}
	f.seq = ev.lineSeq
	return e
}
