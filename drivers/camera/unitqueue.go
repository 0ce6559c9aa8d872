package camera

import (
	"io"
	"sync"
	"time"
)

// maxQueuedUnits is how many access units may wait for a decoder that is busy: a
// burst of a camera that holds pictures back, and no more.
const maxQueuedUnits = 8

// unitQueue hands access units to a decoder and never makes whoever brings them
// wait. When the decoder cannot follow, it goes on with the next picture that
// needs no other.
type unitQueue struct {
	to           io.WriteCloser
	mu           sync.Mutex
	cond         *sync.Cond
	waiting      [][]byte
	awaitsRandom bool // until a random access picture
	dropped      uint64
	endErr       error
	ended        bool
}

func newUnitQueue(to io.WriteCloser) *unitQueue {
	q := &unitQueue{to: to}
	q.cond = sync.NewCond(&q.mu)
	return q
}

// addUnit takes a unit over.
func (q *unitQueue) addUnit(unit []byte, random bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == maxQueuedUnits {
		q.dropWaiting()
		q.awaitsRandom = true
	}
	if q.awaitsRandom = q.awaitsRandom && !random; q.awaitsRandom || q.ended {
		clear(unit)
		q.dropped++
		return
	}
	q.waiting = append(q.waiting, unit)
	q.cond.Signal()
}

func (q *unitQueue) dropWaiting() {
	for _, unit := range q.waiting {
		clear(unit)
		q.dropped++
	}
	q.waiting = q.waiting[:0]
}

// writeUnits writes until the end, and closes.
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

// setEnd says that nothing comes any more; the first reason stays. What waits is
// thrown away.
func (q *unitQueue) setEnd(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.endErr == nil {
		q.endErr = why
	}
	q.ended = true
	q.cond.Signal()
}

// interruptWrite ends a write under way.
func (q *unitQueue) interruptWrite() {
	if d, ok := q.to.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = d.SetWriteDeadline(time.Unix(1, 0))
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
