package supervisor

import (
	"context"
	"slices"
	"sync"
	"time"

	"kerb/agent/ipc"
)

// queue holds the records that the uplink has not stored yet: cleared windows and
// events. An uplink that is killed loses none of them: the next one gets them again,
// from the first. Windows older than the policy's retention are dropped.
type queue struct {
	keep       time.Duration        // the retention
	now        func() time.Duration // since boot
	mu         sync.Mutex
	items      []queueItem
	lastNumber uint64
	changed    chan struct{} // closed when an item is added or dropped
}

// queueItem is a group of records that must be stored together.
type queueItem struct {
	number  uint64        // from 1 on
	at      time.Duration // when it was added
	records []ipc.Record
}

// maxQueueItems bounds the queue to three days of one-minute windows. With ten
// streams they take 12 MB.
const maxQueueItems = 4320

// newQueue makes an empty queue.
func newQueue(keep time.Duration, now func() time.Duration) *queue {
	return &queue{keep: keep, now: now, changed: make(chan struct{})}
}

// pushItem adds the records that build returns for the next number. A full queue
// drops its oldest item, and any drops those past the retention.
func (q *queue) pushItem(build func(n uint64) []ipc.Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastNumber++
	now := q.now()
	q.items = append(q.items, queueItem{q.lastNumber, now, build(q.lastNumber)})
	for len(q.items) > maxQueueItems || now-q.items[0].at >= q.keep && len(q.items) > 1 {
		q.items = slices.Delete(q.items, 0, 1) // which clears the place that it leaves
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
