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

// box holds the newest picture of a live source, as it came, until it is
// looked at. Whoever fills it never waits.
type box struct {
	pace   Live
	memory Memory
	most   int // bytes of a picture

	mu     sync.Mutex
	came   chan struct{} // there is something to take
	spare  []byte        // lent to the filler
	full   letter
	out    []byte // lent to the taker
	bad    error  // of the newest picture, instead of one
	err    error  // the end
	next   time.Time
	missed atomic.Uint64
}

// letter is one picture in the box.
type letter struct {
	buf []byte
	at  time.Time
	due bool // not taken yet
}

func newBox(p Live, m Memory, most int) *box {
	return &box{pace: p, memory: m, most: most, came: make(chan struct{}, 1)}
}

// due says whether a picture that came at this time is wanted. One that comes a
// little early is the one that was due: jitter must not drop every second one.
func (b *box) due(at time.Time) bool {
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

// lend is room for the next picture. Only one may fill.
func (b *box) lend(n int) (_ []byte, err error) {
	if n > cap(b.spare) {
		if b.spare != nil {
			b.memory.Free(b.spare[:cap(b.spare)])
		}
		if b.spare, err = b.memory.Bytes(max(n, min(n*3/2+4096, b.most))); err != nil {
			b.spare = nil
			return nil, err
		}
	}
	b.spare = b.spare[:n]
	return b.spare, nil
}

// put posts what was written to the lent room. A picture that nobody has taken
// is overwritten and counted as missed.
func (b *box) put(at time.Time) {
	b.mu.Lock()
	old := b.full
	b.full, b.bad = letter{b.spare, at, true}, nil
	b.mu.Unlock()
	if old.due {
		b.missed.Add(1)
		clear(old.buf)
	}
	b.spare = old.buf
	b.ring()
}

// copy posts a picture that lies elsewhere, if it is wanted.
func (b *box) copy(src []byte, at time.Time) {
	if !b.due(at) {
		return
	}
	dst, err := b.lend(len(src))
	if err != nil {
		b.end(err)
		return
	}
	copy(dst, src)
	b.put(at)
}

// spoil posts that a picture was none.
func (b *box) spoil(why error) {
	b.mu.Lock()
	b.bad = why
	b.mu.Unlock()
	b.ring()
}

// end posts that nothing comes any more; the first reason stays.
func (b *box) end(err error) {
	b.mu.Lock()
	if b.err == nil {
		b.err = err
	}
	b.mu.Unlock()
	b.ring()
}

func (b *box) ring() {
	select {
	case b.came <- struct{}{}:
	default:
	}
}

// take waits for a picture that was not taken before. It is valid until
// release.
func (b *box) take(ctx context.Context, limit <-chan time.Time) ([]byte, time.Time, error) {
	for {
		if src, at, err, ok := b.look(); ok {
			return src, at, err
		}
		select {
		case <-b.came:
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		case <-limit:
			return nil, time.Time{}, errStall
		}
	}
}

func (b *box) look() (src []byte, at time.Time, err error, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.bad != nil:
		err, b.bad = b.bad, nil
		return nil, time.Time{}, err, true
	case b.full.due:
		b.out, b.full.buf = b.full.buf, b.out
		b.full.due = false
		return b.out, b.full.at, nil, true
	case b.err != nil:
		return nil, time.Time{}, b.err, true
	}
	return nil, time.Time{}, nil, false
}

// release overwrites what was taken.
func (b *box) release() { clear(b.out) }

// free gives all memory back; the filler must have ended.
func (b *box) free() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, buf := range []*[]byte{&b.spare, &b.full.buf, &b.out} {
		if *buf != nil {
			b.memory.Free((*buf)[:cap(*buf)])
			*buf = nil
		}
	}
	b.full.due = false
}
