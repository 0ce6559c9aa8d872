package camera

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Live says how a source that does not end is read. The zero value takes every
// picture, in order, however late it is.
type Live struct {
	// Newest drops a picture that was not looked at before the next one came:
	// pictures never queue, and what is counted is the present.
	Newest bool
	// Every is the least time between two pictures; those in between are passed
	// over undecoded. 0: none are. It needs Newest.
	Every time.Duration
	// Connect is the time from opening to the first picture. Default 10 s.
	Connect time.Duration
	// Stall is the longest wait for one picture. Default 3 s: a camera that
	// was cut off is found dead before whoever repairs it is down the ladder.
	Stall time.Duration
}

const (
	defaultConnect = 10 * time.Second
	defaultStall   = 3 * time.Second
)

// latest holds the newest picture of a live source, as it came, until it is
// looked at. Whoever fills it never waits.
type latest struct {
	pace     Live
	memory   Memory
	maxBytes int // bytes of a picture

	mu         sync.Mutex
	ready      chan struct{} // there is something to take
	spare      []byte        // lent to the filler
	newest     slot
	taken      []byte // lent to the taker
	badPicture error  // of the newest picture, instead of one
	endErr     error  // the end
	next       time.Time
	dropped    atomic.Uint64
}

// slot is one picture in the box.
type slot struct {
	buf    []byte
	at     time.Time
	unread bool // not taken yet
}

func newLatest(p Live, m Memory, most int) *latest {
	return &latest{pace: p, memory: m, maxBytes: most, ready: make(chan struct{}, 1)}
}

// isDue says whether a picture that came at this time is wanted. One that comes a
// little early is the one that was due: jitter must not drop every second one.
func (b *latest) isDue(at time.Time) bool {
	if b.pace.Every == 0 {
		return true
	}
	slack := b.pace.Every / 4
	if b.next.Sub(at) > slack {
		return false
	}
	if b.next = b.next.Add(b.pace.Every); b.next.Before(at.Add(-slack)) {
		b.next = at.Add(b.pace.Every)
	}
	return true
}

// reserveSpare is room for the next picture. Only one may fill.
func (b *latest) reserveSpare(n int) (_ []byte, err error) {
	if n > cap(b.spare) {
		if b.spare != nil {
			b.memory.Free(b.spare[:cap(b.spare)])
		}
		if b.spare, err = b.memory.Bytes(max(n, min(n*3/2+4096, b.maxBytes))); err != nil {
			b.spare = nil
			return nil, err
		}
	}
	b.spare = b.spare[:n]
	return b.spare, nil
}

// publishSpare posts what was written to the lent room. A picture that nobody has taken
// is overwritten and counted as missed.
func (b *latest) publishSpare(at time.Time) {
	b.mu.Lock()
	old := b.newest
	b.newest, b.badPicture = slot{b.spare, at, true}, nil
	b.mu.Unlock()
	if old.unread {
		b.dropped.Add(1)
		clear(old.buf)
	}
	b.spare = old.buf
	b.wakeReader()
}

// publishCopy posts a picture that lies elsewhere, if it is wanted.
func (b *latest) publishCopy(src []byte, at time.Time) {
	if !b.isDue(at) {
		return
	}
	dst, err := b.reserveSpare(len(src))
	if err != nil {
		b.setEnd(err)
		return
	}
	copy(dst, src)
	b.publishSpare(at)
}

// publishBad posts that a picture was none.
func (b *latest) publishBad(why error) {
	b.mu.Lock()
	b.badPicture = why
	b.mu.Unlock()
	b.wakeReader()
}

// setEnd posts that nothing comes any more; the first reason stays.
func (b *latest) setEnd(err error) {
	b.mu.Lock()
	if b.endErr == nil {
		b.endErr = err
	}
	b.mu.Unlock()
	b.wakeReader()
}

func (b *latest) wakeReader() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// waitNewest waits for a picture that was not taken before. It is valid until
// release.
func (b *latest) waitNewest(ctx context.Context, limit <-chan time.Time) ([]byte, time.Time, error) {
	for {
		if src, at, err, ok := b.takeNewest(); ok {
			return src, at, err
		}
		select {
		case <-b.ready:
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		case <-limit:
			return nil, time.Time{}, errStall
		}
	}
}

func (b *latest) takeNewest() (src []byte, at time.Time, err error, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.badPicture != nil:
		err, b.badPicture = b.badPicture, nil
		return nil, time.Time{}, err, true
	case b.newest.unread:
		b.taken, b.newest.buf = b.newest.buf, b.taken
		b.newest.unread = false
		return b.taken, b.newest.at, nil, true
	case b.endErr != nil:
		return nil, time.Time{}, b.endErr, true
	}
	return nil, time.Time{}, nil, false
}

// clearTaken overwrites what was taken.
func (b *latest) clearTaken() { clear(b.taken) }

// freeBuffers gives all memory back; the filler must have ended.
func (b *latest) freeBuffers() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, buf := range []*[]byte{&b.spare, &b.newest.buf, &b.taken} {
		if *buf != nil {
			b.memory.Free((*buf)[:cap(*buf)])
			*buf = nil
		}
	}
	b.newest.unread = false
}
