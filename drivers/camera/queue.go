package camera

import (
	"io"
	"sync"
	"time"
)

// queueLength is how many access units may wait for a decoder that is busy: a
// burst of a camera that holds pictures back, and no more.
const queueLength = 8

// queue hands access units to a decoder and never makes whoever brings them
// wait. When the decoder cannot follow, it goes on with the next picture that
// needs no other.
type queue struct {
	to   io.WriteCloser
	mu   sync.Mutex
	cond *sync.Cond
	wait [][]byte
	lame bool // until a random access picture
	lost uint64
	err  error
	done bool
}

func newQueue(to io.WriteCloser) *queue {
	q := &queue{to: to}
	q.cond = sync.NewCond(&q.mu)
	return q
}

// add takes a unit over.
func (q *queue) add(unit []byte, random bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.wait) == queueLength {
		q.forget()
		q.lame = true
	}
	if q.lame = q.lame && !random; q.lame || q.done {
		clear(unit)
		q.lost++
		return
	}
	q.wait = append(q.wait, unit)
	q.cond.Signal()
}

func (q *queue) forget() {
	for _, unit := range q.wait {
		clear(unit)
		q.lost++
	}
	q.wait = q.wait[:0]
}

// run writes until the end, and closes.
func (q *queue) run() {
	for {
		q.mu.Lock()
		for len(q.wait) == 0 && !q.done {
			q.cond.Wait()
		}
		if q.done {
			q.forget()
			q.mu.Unlock()
			break
		}
		unit := q.wait[0]
		q.wait = append(q.wait[:0], q.wait[1:]...)
		q.mu.Unlock()
		_, err := q.to.Write(unit)
		clear(unit)
		if err != nil {
			q.end(err)
		}
	}
	q.to.Close()
}

// end says that nothing comes any more; the first reason stays. What waits is
// thrown away.
func (q *queue) end(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = why
	}
	q.done = true
	q.cond.Signal()
}

// close ends a write under way.
func (q *queue) close() {
	if d, ok := q.to.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = d.SetWriteDeadline(time.Unix(1, 0))
		return
	}
	_ = q.to.Close()
}

func (q *queue) why() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

func (q *queue) dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}
