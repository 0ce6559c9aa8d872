package camera

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Live says how a source without end is read. The zero value delivers every
// picture, in order, however late it is.
type Live struct {
	// Newest delivers the newest picture only: one that was not read before the
	// next one came is dropped. Pictures never queue, so the present is counted.
	Newest bool
	// FrameInterval is the least time between two delivered pictures; those in between
	// are dropped undecoded. 0: none are. It needs Newest.
	FrameInterval time.Duration
	// Connect is the longest time from opening to the first picture. 0: 10 s.
	Connect time.Duration
	// Stall is the longest wait for one later picture. 0: 3 s, so that a camera
	// without power is reported while the engineer is still on the ladder.
	Stall time.Duration
}

// The defaults of Live, chosen by hand.
const (
	defaultConnect = 10 * time.Second
	defaultStall   = 3 * time.Second
)

// pacer drops pictures that come sooner than one interval after the last. The
// zero value drops none.
type pacer struct {
	interval time.Duration
	next     time.Time // when the next picture is due
}

// earlyShare is the part of an interval by which a picture may come too early and
// still be taken: a quarter, chosen by hand. Without it jitter would drop every
// second picture.
const earlyShare = 4

// isDue reports whether to take a picture that came at this time, and if so sets
// when the next one is due. After a pause the schedule starts anew.
func (p *pacer) isDue(at time.Time) bool {
	if p.interval == 0 {
		return true
	}
	slack := p.interval / earlyShare
	if p.next.Sub(at) > slack {
		return false
	}
	if p.next = p.next.Add(p.interval); p.next.Before(at.Add(-slack)) {
		p.next = at.Add(p.interval)
	}
	return true
}

// wouldBeDue reports what isDue would, and sets nothing.
func (p *pacer) wouldBeDue(at time.Time) bool {
	return p.interval == 0 || p.next.Sub(at) <= p.interval/earlyShare
}

// latest is a mailbox of one picture between the goroutine that reads a live
// source and the caller of ReadInto. The reading goroutine never waits: an unread
// picture is overwritten and counted as dropped. Pictures lie in it as they came,
// compressed or raw.
type latest struct {
	pace     pacer
	memory   Memory
	maxBytes int // bytes of a picture

	mu         sync.Mutex
	ready      chan struct{} // has an element when the mailbox has changed
	spare      []byte        // the filler writes here
	newest     slot
	taken      []byte // the caller reads here
	badPicture error  // set instead of a picture
	endErr     error  // set when the source has ended
	dropped    atomic.Uint64
}

// slot is one picture in the mailbox.
type slot struct {
	buf    []byte
	at     time.Time
	unread bool
}

func newLatest(o Live, m Memory, most int) *latest {
	return &latest{pace: pacer{interval: o.FrameInterval}, memory: m, maxBytes: most, ready: make(chan struct{}, 1)}
}

// reserveSpare returns n bytes for the next picture. Only one goroutine may fill.
func (l *latest) reserveSpare(n int) (_ []byte, err error) {
	if n > cap(l.spare) {
		if l.spare != nil {
			l.memory.Free(l.spare[:cap(l.spare)])
		}
		if l.spare, err = l.memory.Bytes(withSpareRoom(n, l.maxBytes)); err != nil {
			l.spare = nil
			return nil, err
		}
	}
	l.spare = l.spare[:n]
	return l.spare, nil
}

// publishSpare makes the reserved bytes the newest picture. An unread one before
// it is overwritten and counted.
func (l *latest) publishSpare(at time.Time) {
	l.mu.Lock()
	old := l.newest
	l.newest, l.badPicture = slot{l.spare, at, true}, nil
	l.mu.Unlock()
	if old.unread {
		l.dropped.Add(1)
		clear(old.buf)
	}
	l.spare = old.buf
	l.wakeReader()
}

// publishCopy publishes a copy of src if it is due.
func (l *latest) publishCopy(src []byte, at time.Time) {
	if !l.pace.isDue(at) {
		return
	}
	dst, err := l.reserveSpare(len(src))
	if err != nil {
		l.setEnd(err)
		return
	}
	copy(dst, src)
	l.publishSpare(at)
}

// publishBad publishes the error of a picture that cannot be used.
func (l *latest) publishBad(why error) {
	l.mu.Lock()
	l.badPicture = why
	l.mu.Unlock()
	l.wakeReader()
}

// setEnd publishes that the source has ended. The first reason stays.
func (l *latest) setEnd(err error) {
	l.mu.Lock()
	if l.endErr == nil {
		l.endErr = err
	}
	l.mu.Unlock()
	l.wakeReader()
}

func (l *latest) wakeReader() {
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// waitNewest waits for an unread picture. It is valid until clearTaken.
func (l *latest) waitNewest(ctx context.Context, limit <-chan time.Time) ([]byte, time.Time, error) {
	for {
		if src, at, err, ok := l.takeNewest(); ok {
			return src, at, err
		}
		select {
		case <-l.ready:
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		case <-limit:
			return nil, time.Time{}, errStall
		}
	}
}

// takeNewest takes the error of a picture, else the unread picture, else the
// error of the end. ok is false where there is none of them.
func (l *latest) takeNewest() (src []byte, at time.Time, err error, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.badPicture != nil:
		err, l.badPicture = l.badPicture, nil
		return nil, time.Time{}, err, true
	case l.newest.unread:
		l.taken, l.newest.buf = l.newest.buf, l.taken
		l.newest.unread = false
		return l.taken, l.newest.at, nil, true
	case l.endErr != nil:
		return nil, time.Time{}, l.endErr, true
	}
	return nil, time.Time{}, nil, false
}

// clearTaken overwrites the picture that was taken.
func (l *latest) clearTaken() { clear(l.taken) }

// freeBuffers gives all memory back. The filling goroutine must have ended.
func (l *latest) freeBuffers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, buf := range []*[]byte{&l.spare, &l.newest.buf, &l.taken} {
		if *buf != nil {
			l.memory.Free((*buf)[:cap(*buf)])
			*buf = nil
		}
	}
	l.newest.unread = false
}
