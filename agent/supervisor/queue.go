package supervisor

import (
	"context"
	"sync"

	"kerb/agent/ipc"
)

// queue holds the records that the uplink has not stored yet. An uplink that is
// killed loses none of them: the next one gets them again, from the first.
type queue struct {
	mu         sync.Mutex
	items      []queueItem
	lastNumber uint64
	changed    chan struct{} // closed when an item is added or dropped
}

// queueItem is a group of records that must be stored together.
type queueItem struct {
	number  uint64 // from 1 on
	records []ipc.Record
}

// maxQueueItems bounds the queue to three days of one-minute windows. With ten
// streams they take 12 MB.
const maxQueueItems = 4320

// newQueue makes an empty queue.
func newQueue() *queue { return &queue{changed: make(chan struct{})} }

// pushItem adds the records that build returns for the next number. A full queue
// drops its oldest item.
func (q *queue) pushItem(build func(n uint64) []ipc.Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastNumber++
	q.items = append(q.items, queueItem{q.lastNumber, build(q.lastNumber)})
	if len(q.items) > maxQueueItems {
		q.items = q.items[1:]
	}
	q.wakeWaiters()
}

// maxQueuedNotes is the length of the queue from which on notes are dropped, so
// that a sensing process that sends many of them cannot push out windows.
const maxQueuedNotes = 512

// pushNote adds records that may be lost, as pushItem does, unless the queue is
// long.
func (q *queue) pushNote(build func(n uint64) []ipc.Record) {
	q.mu.Lock()
	full := len(q.items) >= maxQueuedNotes
	q.mu.Unlock()
	if !full {
		q.pushItem(build)
	}
}

// wakeWaiters wakes waitAfter and waitEmpty. It is called under the lock.
func (q *queue) wakeWaiters() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// dropStored drops all items up to number n.
func (q *queue) dropStored(n uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) > 0 && q.items[0].number <= n {
		q.items = q.items[1:]
	}
	q.wakeWaiters()
}

// waitAfter waits for the first item with a number above n. It returns false when
// ctx ends before.
func (q *queue) waitAfter(ctx context.Context, n uint64) (queueItem, bool) {
	for {
		q.mu.Lock()
		changed := q.changed
		for _, i := range q.items {
			if i.number > n {
				q.mu.Unlock()
				return i, true
			}
		}
		q.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return queueItem{}, false
		}
	}
}

// waitEmpty waits until all items are stored. It returns false when ctx ends
// before.
func (q *queue) waitEmpty(ctx context.Context) bool {
	for {
		q.mu.Lock()
		changed, left := q.changed, len(q.items)
		q.mu.Unlock()
		if left == 0 {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
