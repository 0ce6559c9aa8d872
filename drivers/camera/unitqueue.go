package camera

import (
	"io"
	"sync"
	"time"
)

// maxQueuedUnits is the number of access units that may wait for a busy decoder:
// one burst of a camera that holds pictures back. Chosen by hand.
const maxQueuedUnits = 8

// maxOverflows is how often the queue may overflow before the decoder counts as too
// slow for the stream. Chosen by hand.
const maxOverflows = 3

// unitQueue passes access units of H.264 or H.265 to a decoder's input and never
// makes the network side wait. When it is full it drops what waits, and all units
// up to the next random access picture, which needs no other. Dropped units are
// overwritten.
type unitQueue struct {
	to           io.WriteCloser
	mu           sync.Mutex
	cond         *sync.Cond
	waiting      [][]byte
	awaitsRandom bool // drop units until a random access picture
	dropped      uint64
	overflows    int
	onOverload   func() // called once, when the decoder is too slow; may be nil
	endErr       error
	ended        bool
}

func newUnitQueue(to io.WriteCloser) *unitQueue {
	q := &unitQueue{to: to}
	q.cond = sync.NewCond(&q.mu)
	return q
}

// addUnit appends one access unit, which then belongs to the queue.
func (q *unitQueue) addUnit(unit []byte, random bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == maxQueuedUnits {
		q.dropWaiting()
		q.awaitsRandom = true
		if q.overflows++; q.overflows == maxOverflows && q.onOverload != nil {
			q.onOverload()
		}
	}
	if q.awaitsRandom = q.awaitsRandom && !random; q.awaitsRandom || q.ended {
		clear(unit)
		q.dropped++
		return
	}
	q.waiting = append(q.waiting, unit)
	q.cond.Signal()
}

// dropWaiting overwrites and counts all waiting units. q.mu is held.
func (q *unitQueue) dropWaiting() {
	for _, unit := range q.waiting {
		clear(unit)
		q.dropped++
	}
	q.waiting = q.waiting[:0]
}

// writeUnits writes units to the decoder until setEnd, then closes its input.
func (q *unitQueue) writeUnits() {
	for {
		q.mu.Lock()
		for len(q.waiting) == 0 && !q.ended {
			q.cond.Wait()
		}
		if q.ended {
			q.dropWaiting()
			q.mu.Unlock()
			break
		}
		unit := q.waiting[0]
		q.waiting = append(q.waiting[:0], q.waiting[1:]...)
		q.mu.Unlock()
		_, err := q.to.Write(unit)
		clear(unit)
		if err != nil {
			q.setEnd(err)
		}
	}
	q.to.Close()
}

// setEnd ends the queue; the first reason stays. Waiting units are dropped.
func (q *unitQueue) setEnd(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.endErr == nil {
		q.endErr = why
	}
	q.ended = true
	q.cond.Signal()
}

// interruptWrite ends a Write under way, by a deadline in the past or by Close.
func (q *unitQueue) interruptWrite() {
	if d, ok := q.to.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = d.SetWriteDeadline(longAgo())
		return
	}
	_ = q.to.Close()
}

func (q *unitQueue) endReason() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.endErr
}

func (q *unitQueue) droppedUnits() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
