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
	polls  []unix.PollFd
	feeds  []feed
	names  []string
	clock  clock
	levels []Edge // as found at opening, not yet handed over
	seen   time.Duration
}

// feed is one line's read-ahead.
type feed struct {
	name   string
	fd     int
	opened time.Duration // when the level was read; it speaks for what was before
	seq    uint32        // the kernel's number of the last edge
	raw    [64]lineEvent
	head   int
	tail   int
	dry    bool // the kernel had no more
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
		fd, err := request(f, lines[i], debounce)
		if err != nil {
			p.Close()
			return nil, err
		}
		p.polls = append(p.polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		p.names = append(p.names, f.Name)
		on, err := level(fd)
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("read line %s: %w", f.Name, err)
		}
		now := p.clock.now()
		p.feeds = append(p.feeds, feed{name: f.Name, fd: fd, opened: now})
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
	p.polls, p.feeds = nil, nil
	return errors.Join(errs...)
}

// ReadEdges waits for edges, at most Wait, and fills dst in order of time. now
// is when it looked, or the last edge's time if dst was too small. It does not
// allocate. An error wraps ErrGone if the chip has disappeared.
func (p *Port) ReadEdges(ctx context.Context, dst []Edge) (n int, now time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, p.seen, err
	}
	if len(p.levels) > 0 {
		n = copy(dst, p.levels)
		p.levels = p.levels[n:]
		p.seen = dst[n-1].At
		return n, p.seen, nil
	}
	if p.earliest() < 0 {
		if err := p.wait(); err != nil {
			return 0, p.seen, err
		}
	}
	now = p.clock.now() // what happens from here on may be missing below
	for i := range p.feeds {
		if err := p.feeds[i].fill(); err != nil {
			return 0, p.seen, err
		}
	}
	for n < len(dst) {
		i := p.earliest()
		if i < 0 {
			p.seen = max(p.seen, now)
			return n, p.seen, nil
		}
		dst[n] = p.feeds[i].take(i)
		p.seen = max(p.seen, dst[n].At)
		n++
		if p.feeds[i].dry {
			continue
		}
		if err := p.feeds[i].fill(); err != nil {
			return n, p.seen, err
		}
	}
	return n, p.seen, nil
}

// wait returns when there may be an edge, or after Wait.
func (p *Port) wait() error {
	if _, err := unix.Poll(p.polls, int(Wait.Milliseconds())); err != nil && err != unix.EINTR {
		return fmt.Errorf("wait for edges: %w", err)
	}
	for i, f := range p.polls {
		if f.Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
			return fmt.Errorf("line %s: %w", p.names[i], ErrGone)
		}
		p.feeds[i].dry = false
	}
	return nil
}

// earliest is the line whose next edge is the first of all, or -1. Every line
// has its next edge here or had none when it was last asked.
func (p *Port) earliest() int {
	first := -1
	for i := range p.feeds {
		f := &p.feeds[i]
		if f.head < f.tail && (first < 0 || f.raw[f.head].ns < p.feeds[first].raw[p.feeds[first].head].ns) {
			first = i
		}
	}
	return first
}

// fill asks the kernel for more if nothing is left.
func (f *feed) fill() error {
	for f.head == f.tail {
		buf := unsafe.Slice((*byte)(unsafe.Pointer(&f.raw)), len(f.raw)*eventSize)
		n, err := unix.Read(f.fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			f.dry = true
			return nil
		case err == unix.ENODEV:
			return fmt.Errorf("line %s: %w", f.name, ErrGone)
		case err != nil:
			return fmt.Errorf("read edges of line %s: %w", f.name, err)
		}
		f.head, f.tail = 0, n/eventSize
		f.dry = f.tail < len(f.raw)
		for f.head < f.tail && time.Duration(f.raw[f.head].ns) <= f.opened {
			f.seq = f.raw[f.head].lineSeq
			f.head++
		}
		if f.dry {
			return nil
		}
	}
	return nil
}

// take is the next edge of a line that has one.
func (f *feed) take(line int) Edge {
	ev := &f.raw[f.head]
	f.head++
	e := Edge{Line: line, On: ev.id == eventRising, At: time.Duration(ev.ns), Missed: ev.lineSeq - f.seq - 1}
	f.seq = ev.lineSeq
	return e
}
